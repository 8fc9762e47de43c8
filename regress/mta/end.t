# The end of a daemon, a reload, and traces, seen from a remote host.
use strict;
use warnings;
use Test::More;
use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(
	slow => { DOT => { delay => 0.3, reply => '250 2.0.0 at last' } },
	stuck => { ehlo => [], RCPT => { silent => 1 } },
	main => {},
	other => { DOT => { reply => '250 2.0.0 taken', drop => 1 } },
);
my $conf = join '', map {
	sprintf qq{accept from any for domain "%s.example" }
	    . qq{relay via "smtp://127.0.0.1:%d"\n}, $_, $mx->port($_)
} qw(slow stuck main other);
my $d = Spoolkit->start(conf => $conf);

# A reply that is on its way is waited for; a session that is stuck is not.
like $d->send('', 'x@stuck.example', "\nx\n"), qr/^250/, 'to a stuck one';
ok $d->wait(sub { grep { /^RCPT/ } $mx->commands('stuck') }),
    'one is under way';
like $d->send('', 'x@slow.example', "\nx\n"), qr/^250/, 'to a slow host';
ok $d->wait(sub { $mx->said('slow') =~ /\r\n\.\r\n/ }), 'the other one, too';
$d->stop('it stops with a reply on its way');
is scalar($d->logged(qr/event=delivered.*at last/)), 1, 'which counts';
$d->run;
ok $d->wait(sub { $mx->sessions('stuck') >= 2 }, 10),
    'the stuck one is tried again';
my @m = $mx->messages('slow');
is scalar @m, 1, 'the slow one is not';
is scalar($d->logged(qr/event=deferred/)), 0, 'and no try was counted';

# Traces show the dialogue while they are on.
my ($exit) = $d->ctl(qw(show hosts));
is $exit, 0, 'show hosts';
pipe my $read, my $write or die;
my $trace = $d->spawn("$d->{dir}/trace", "$d->{dir}/trace",
    "$d->{bin}/smtpctl", '-s', $d->socket_path, 'trace', 'mta');
my $dialogue = sub { Spoolkit::slurp("$d->{dir}/trace") };
my $n = 0;
ok $d->wait(sub {
	$d->send('', 'x@main.example', "Subject: t\n\nx\n") if $n++ % 10 == 0;
	$dialogue->() =~ /> DATA.*< 250 2.0.0 taken/s;
}, 10), 'a trace shows replies';
like $dialogue->(), qr/> RCPT TO:<x\@main.example>/, 'and commands';
kill 'INT', $trace;
waitpid $trace, 0;

# A reload gives the host another name to greet with.
$d->set_conf("hostname other.test.example\n$conf");
($exit) = $d->ctl('reload');
is $exit, 0, 'reload';
ok $d->wait(sub {
	my $n = () = $mx->messages('other');
	$d->send('', 'x@other.example', "\nx\n");
	$d->wait(sub { $mx->messages('other') > $n });
	grep { $_ eq 'EHLO other.test.example' } $mx->commands('other');
}, 20), 'a new name after a reload';

$d->stop;
done_testing;
