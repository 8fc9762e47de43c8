# What becomes of a recipient: rules, tables, aliases, users, by the daemon.
use strict;
use warnings;
use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
table aliases file:aliases
table virtual { ann, bob }
table never file:never
accept for local alias <aliases> users <virtual> owner nobody \
    deliver to maildir "mail/%{user}"
accept for domain never.example users <never> owner nobody \
    deliver to maildir "mail/%{user}"
accept for domain "*.away.example" relay via "smtp://127.0.0.1:1"
reject for domain refused.example
END

sub write_file {
	my ($name, $text) = @_;
	my $path = $d->dir . "/$name";
	open(my $f, '>', "$path.new") or die "$path: $!";
	print $f $text;
	close $f;
	chmod 0644, "$path.new";
	rename "$path.new", $path or die "$path: $!";
}

# The reply to RCPT for a recipient, in a session of its own: errors are
# counted there.
sub rcpt {
	my ($to, $from) = @_;
	my $s = $d->session or return '';

	$s->command('EHLO client.test');
	$s->command('MAIL FROM:<' . ($from // 's@s.example') . '>');
	my (undef, $text) = $s->command("RCPT TO:<$to>");
	$s->close;
	return $text;
}

sub eventually {
	my ($to, $re, $name) = @_;
	my $said = '';
	ok($d->wait(sub { ($said = rcpt($to)) =~ $re }, 10), $name)
	    or diag("<$to>: $said");
}

like(rcpt('ann@localhost'), qr/^451 4\.3\.0 /,
	'a table that was never read is a temporary failure');
write_file('aliases', "team: ann, bob\@mail.test.example\n"
	. "loop1: loop2\nloop2: loop1\nprog: |/bin/true\nout: x\@y.away.example\n");
eventually('ann@localhost', qr/^250 /, 'it is read when it is there');

my @cases = (
	['ann@mail.test.example', qr/^250 /],
	['ANN@Mail.Test.Example', qr/^250 /],
	['ann@[127.0.0.1]', qr/^250 /],
	['ann+tag@localhost', qr/^250 /],
	['team@localhost', qr/^250 /],
	['out@localhost', qr/^250 /],
	['zoe@localhost', qr/^550 5\.1\.1 /],
	['zoe+ann@localhost', qr/^550 5\.1\.1 /],
	['loop1@localhost', qr/^550 5\.4\.6 /],
	['prog@localhost', qr/^451 4\.3\.0 /],
	['x@never.example', qr/^451 4\.3\.0 /],
	['x@y.away.example', qr/^250 /],
	['x@away.example', qr/^550 5\.7\.1 /],
	['x@refused.example', qr/^550 5\.7\.1 /],
	['x@elsewhere.example', qr/^550 5\.7\.1 /],
	['postmaster', qr/^550 5\.1\.1 /],
);
for my $c (@cases) {
	like(rcpt($c->[0]), $c->[1], "<$c->[0]>");
}
like(rcpt('ann@localhost', ''), qr/^250 /, 'the null sender');

write_file('aliases', "postmaster: ann\n");
eventually('postmaster', qr/^250 /, 'a change is seen');
like(rcpt('team@localhost'), qr/^550 5\.1\.1 /, 'what is gone is gone');
write_file('aliases', ": broken\n");
ok($d->wait(sub { rcpt('postmaster'); $d->logged(qr/table=aliases event=kept/) },
	10), 'a broken file is logged');
like(rcpt('postmaster'), qr/^250 /, 'and what was read before stays');
is(scalar($d->logged(qr/table=aliases event=kept/)), 1, 'once');

write_file('aliases', "team: ann, bob, ann, team\nbob: \\bob\n");
eventually('team@localhost', qr/^250 /, 'a group');
like($d->send('s@s.example', 'team@localhost', "Subject: x\n\nhello\n"),
	qr/^250 /, 'a message to the group');
ok($d->wait(sub { $d->maildir('ann') == 1 && $d->maildir('bob') == 1 }, 10),
	'each gets one copy');

my %sum = map { ($_->{name} => $_->{value}) }
    grep { ($_->{name} // '') =~ /^lookup\./ } $d->ctl_json(qw(show stats));
cmp_ok($sum{'lookup.rejects'} // 0, '>=', 8, 'rejects are counted');
cmp_ok($sum{'lookup.tempfails'} // 0, '>=', 3, 'tempfails are counted');
$d->stop;
done_testing;
