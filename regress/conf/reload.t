# A new configuration comes into force at a reload; a wrong one does not.
use strict;
use warnings;
use Spoolkit;
use Test::More;

my $rules = "accept for domain one.example users any owner nobody \\\n"
    . "    deliver to maildir \"mail/%{user}\"\n";
my $d = Spoolkit->start(conf => $rules);

sub rcpt {
	my ($to) = @_;
	my $s = $d->session or return '';

	$s->command('EHLO client.test');
	$s->command('MAIL FROM:<s@s.example>');
	my (undef, $text) = $s->command("RCPT TO:<$to>");
	$s->close;
	return $text;
}

sub pids {
	my $pids = $d->role_pids;
	return join ' ', map { "$_=$pids->{$_}" } sort keys %$pids;
}

like(rcpt('ann@one.example'), qr/^250 /, 'the first rule');
like(rcpt('ann@two.example'), qr/^550 5\.7\.1 /, 'and nothing else');

(my $more = $rules) =~ s/one/two/;
$d->set_conf("table t { ann }\n$rules$more"
	. "accept for domain three.example users <t> owner nobody \\\n"
	. "    deliver to maildir \"mail/%{user}\" action three\n");
kill 'HUP', $d->pid;
ok($d->wait(sub { rcpt('ann@two.example') =~ /^250 / }, 10),
	'a rule comes with a reload');
like(rcpt('ann@three.example'), qr/^250 /, 'and a table');
like(rcpt('bob@three.example'), qr/^550 5\.1\.1 /, 'with who is in it');

my $pids = pids();
$d->set_conf("${rules}accpt for any relay\nmta fast\n");
kill 'HUP', $d->pid;
ok($d->wait_log(qr/smtpd\.conf:\d+: unknown word ."?accpt/, 10),
	'a wrong one is logged with file and line')
    or diag($d->last_log(5));
ok($d->wait_log(qr/smtpd\.conf:\d+: mta: expected max-per-host/, 10),
	'each error of it');
like(rcpt('ann@two.example'), qr/^250 /, 'the old one stays in force');

my ($exit) = $d->ctl('reload');
isnt($exit, 0, 'smtpctl reload says that it failed');
$d->set_conf($rules);
($exit) = $d->ctl('reload');
is($exit, 0, 'and that it went well');
ok($d->wait(sub { rcpt('ann@two.example') =~ /^550 5\.7\.1 / }, 10),
	'a rule goes with a reload');
is(pids(), $pids, 'all by the same processes');
$d->stop;
done_testing;
