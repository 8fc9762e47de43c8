#!/usr/bin/perl
# Storms of signals, a spooler that stands still, a second daemon on the spool,
# and descriptors that run out: nothing acknowledged is lost, and nothing but
# what was told to ends.
use strict;
use warnings;

use POSIX ();
use Test::More;

use Faults;
use Loadrig;

my $f = Faults->new;
my $r = Loadrig->start(env => $f->env, conf => <<'END');
queue journal 4M
queue retry relay 1s
END
my $d = $r->d;
my $before = $r->processes;
my $spooler = $d->role_pids->{spooler};

note('F20 signals');
my $run = $r->flood('s', '--messages', 200, '--rate', 100, '--sessions', 4);
for (1 .. 300) {
	kill 'HUP', $d->pid;
	kill 'PIPE', values %{$d->role_pids} if $_ % 20 == 0;
	kill 'PIPE', $d->pid;
	Spoolkit::nap() if $_ % 5 == 0;
}
my ($good, $bad) = $r->flooded($run);
is "$good $bad", '200 0', 'all is taken in a storm of SIGHUP and SIGPIPE';
is $r->processes, $before, 'nobody ended';
ok $d->logged(qr/event=reloaded/) > 0, 'it was reloaded';
$run = $r->flood('t', '--messages', 60, '--rate', 60, '--sessions', 4);
kill 'STOP', $spooler;
sleep 3;
kill 'CONT', $spooler;
($good, $bad) = $r->flooded($run);
is "$good $bad", '60 0', 'a spooler that stood still goes on';

note('F19 a second daemon');
for my $n (1, 2) {
	my $conf = "$d->{dir}/second.conf";
	my $port = Spoolkit::free_port();
	my $text = Spoolkit::slurp($d->conf) =~ s/port \d+/port $port/r;
	Spoolkit::spew($conf, $text =~ s/sock"/sock2"/r);
	my $out = "$d->{dir}/second$n.log";
	my $pid = $d->spawn($out, $out, "$d->{bin}/smtpd", '-d', '-f', $conf);
	my $status;
	ok $d->wait(sub { waitpid($pid, 1) == $pid && defined($status = $?) },
		15), 'it ends';
	isnt $status, 0, 'not well';
	like Spoolkit::slurp($out), qr/pid $spooler\b/, 'naming who is there';
}
is $r->processes, $before, 'the first one goes on';

note('F4 descriptors');
my $smtp = $d->role_pids->{smtp};
$f->set(accept4 => { error => 'EMFILE', role => 'smtp' });
$f->set(openat => { error => 'EMFILE' });
my @held = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	PeerPort => $d->port) } 1 .. 40;
ok $d->wait_log(qr/event=accept-rests/, 10), 'accepting rests';
my $ticks = sub {
	my @f = split ' ', Spoolkit::slurp("/proc/$smtp/stat");
	return $f[13] + $f[14];
};
my $t = $ticks->();
sleep 2;
cmp_ok $ticks->() - $t, '<', 60, 'without turning round and round';
is scalar($d->logged(qr/event=accept-rests/)), 1, 'which is said once';
cmp_ok $f->clear('accept4'), '>', 0, 'descriptors were refused';
$_->close for @held;
my $reply = '';
ok $d->wait(sub { ($reply = $d->send('a@b.test', 'fd@relay.test',
	"Subject: x\n\nhi\n")) =~ /^250 / }, 15), 'mail is taken then'
    or diag $reply;
$r->{acked}{'fd@relay.test'} = 1;
ok $r->wait_alarm(qr/Too many open files/, 15),
    'the spooler says what it lacks';
cmp_ok $f->clear('openat'), '>', 0, 'as it was refused them';
ok $r->wait_alarm(qr/^$/, 20), 'and that it is over';
is $r->processes, $before, 'nobody ended';

note('F20 a stop amid it all');
$run = $r->flood('u', '--messages', 2000, '--rate', 300, '--sessions', 8,
	'--seconds', 4);
$d->wait(sub { $d->queue > 300 }, 10);
# To the very end, which is drawn out so that some come then.
$f->set(leave => { delay => 200, role => 'parent' });
my $pid = $d->pid;
my $storm = fork // die "fork: $!\n";
if (!$storm) {
	Spoolkit::nap() while kill $storm++ % 2 ? 'TERM' : 'INT', $pid;
	POSIX::_exit(0);
}
cmp_ok $d->stop('it stops cleanly'), '<', 5, 'within five seconds';
waitpid $storm, 0;
is $f->clear('leave'), 1, 'with signals until it was gone';
$r->flooded($run);
$d->run;
$r->sink_up;
ok $r->wait_whole(30), 'all that was acknowledged is delivered';
$r->balanced;
ok $d->wait(sub { $d->queue_files == 0 }, 20), 'the tree is empty';
$d->stop;
done_testing;
