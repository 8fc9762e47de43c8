# Where connections come from, under what name, as whom, and to whom not.
use strict;
use warnings;
use Test::More;
use Dns;
use FakeMX;
use Spoolkit;

my $port = Spoolkit::free_port();
my $dns = Dns->start(zones => { 'example.org' => <<'END',
main A 127.0.0.41
other A 127.0.0.42
worse A 127.0.0.43
dom MX 10 main
bad MX 10 main
down A 127.0.0.49
back MX 10 down
back MX 20 mail.test.example.
back MX 30 worse
first MX 10 mail.test.example.
first MX 20 main
END
'test.example' => "mail A 127.0.0.50\n" });
my $ns = $dns->port;
my $mx = FakeMX->start(
	main => { addr => '127.0.0.41', port => $port,
		DOT => { delay => 0.2, reply => '250 2.0.0 taken' } },
	worse => { addr => '127.0.0.43', port => $port },
	one => {}, two => {}, group => {},
);
my $d = Spoolkit->start(env => { SMTPD_TEST_MX_PORT => $port },
	vars => { ONE => $mx->port('one'), TWO => $mx->port('two') },
	conf => <<"END");
hostname mail.test.example
resolver 127.0.0.1 port $ns
table two { 127.0.0.2, 127.0.0.3 }
table missing { 192.0.2.77, 127.0.0.4 }
table names { "127.0.0.2" = "two.test.example", "127.0.0.3" = "three.test.example" }
table own { "127.0.0.1" = "chosen.test.example" }
table urls { "smtp://127.0.0.1:%ONE%", "smtp://127.0.0.1:%TWO%" }
accept from any for domain "dom.example.org" relay source <two> helo <names>
accept from any for domain "bad.example.org" relay source <missing>
accept from any for domain "as.example" \\
    relay via "smtp://127.0.0.1:%ONE%" as "list\@changed.example"
accept from any for domain "part.example" \\
    relay via "smtp://127.0.0.1:%ONE%" as "\@changed.example"
accept from any for domain "named.example" \\
    relay via "smtp://127.0.0.1:%ONE%" helo "other.name.example"
accept from any for domain "chosen.example" \\
    relay via "smtp://127.0.0.1:%ONE%" helo <own>
accept from any for domain "turns.example" relay via <urls>
accept from any for domain "back.example.org" relay backup
accept from any for domain "first.example.org" relay backup
END

my $c = $d->session;
$c->command('EHLO x');

sub mail {
	my ($to, $from) = @_;
	my ($code, $text) =
	    $c->message($from // 'ann@here.example', [$to], "Subject: x\n\nx\n");
	$code == 250 or die "$code $text";
}

sub outcome {
	my ($domain, $event) = @_;
	return $d->logged(qr/event=$event .*relay=\Q$domain\E /);
}

# A24, A25: addresses take turns, each under its name.
mail("u$_\@dom.example.org") for 1 .. 40;
ok $d->wait(sub { $mx->messages('main') >= 40 }), 'by two addresses of ours';
my %names;
for my $s ($mx->sessions('main')) {
	my ($ehlo) = map { $_->[2] =~ /^EHLO (\S+)/ ? $1 : () }
	    @{ $s->{events} };
	$names{ $s->{peer} =~ s/:\d+$//r . " $ehlo" }++;
}
is join(', ', sort keys %names),
    '127.0.0.2 two.test.example, 127.0.0.3 three.test.example',
    'each with its name';
cmp_ok abs($names{'127.0.0.2 two.test.example'} -
    $names{'127.0.0.3 three.test.example'}), '<=', 1, 'in turns';

# One that is not ours is left, the other works.
my $before = () = $mx->messages('main');
mail("u$_\@bad.example.org") for 1 .. 5;
ok $d->wait(sub { $mx->messages('main') >= $before + 5 }),
    'a source that is not there is done without';
is scalar($d->logged(qr/event=source-bad .*source=192\.0\.2\.77/)), 1,
    'and seen once';
is scalar(outcome('bad.example.org', 'deferred')), 0, 'nothing is deferred';

# A26: as.
mail('u@as.example');
mail('u@part.example');
mail('u@as.example', '');
ok $d->wait(sub { $mx->messages('one') >= 3 }), 'senders are changed';
my %from = map { $_->{rcpts}[0] . ' ' . $_->{mail} => 1 } $mx->messages('one');
is join("\n", sort map { s/^(\S+) .*?<(.*?)>.*/$1 $2/r } keys %from),
    "u\@as.example \nu\@as.example list\@changed.example\n" .
    "u\@part.example ann\@changed.example",
    'whole, in part, and never the null one';
mail('u@named.example');
ok $d->wait(sub {
	grep { /^EHLO other\.name\.example/ } $mx->commands('one')
}), 'a name for EHLO given in place';

mail('u@chosen.example');
ok $d->wait(sub {
	grep { /^EHLO chosen\.test\.example/ } $mx->commands('one')
}), 'a name by the address that the system chooses';

# Alternatives of a table.
my ($ones, $twos) = map { scalar(() = $mx->messages($_)) } qw(one two);
mail("u$_\@turns.example") for 1 .. 40;
ok $d->wait(sub {
	$mx->messages('one') + $mx->messages('two') >= $ones + $twos + 40
}), 'two hosts of a table';
cmp_ok $mx->messages('one') - $ones, '>', 5, 'one gets its part';
cmp_ok $mx->messages('two') - $twos, '>', 5, 'so does the other';

# A27: only to what is better than we are.
mail('u@back.example.org');
ok $d->wait(sub { outcome('back.example.org', 'deferred') }),
    'a backup keeps what the better host does not take';
is scalar($mx->sessions('worse')), 0, 'and never gives it to a worse one';
mail('u@first.example.org');
ok $d->wait(sub { outcome('first.example.org', 'failed') }),
    'nobody is better: a loop';
$c->close;
$d->stop;
done_testing;
