#!/usr/bin/perl
# What a message costs the disk in the whole daemon: one flush for a message of
# any number of recipients, few for many sessions, and no file of the queue
# for mail that is relayed at once.
use strict;
use warnings;

use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time);

use FakeMX;
use Spoolkit;

plan(skip_all => 'strace and sanitizers do not go together') if $ENV{SAN};

my $bench = Spoolkit::build_dir() . '/bench';
my $mx = FakeMX->start(ok => {});
my $d = Spoolkit->start(vars => { OK => $mx->port('ok') }, conf => <<'END');
accept from any for domain "now.test" relay via "smtp://127.0.0.1:%OK%"
accept from any for domain "users.test" users any \
	deliver to maildir "%DIR%/mail/%{user}"
END
my $trace = $d->dir . '/trace';
my $strace;
END { kill 'TERM', $strace if $strace }

# Attaches to the spooler, all its threads; files are told by their names.
sub attach {
	my $pid = $d->role_pids->{spooler};
	$strace = fork // die "fork: $!\n";
	if (!$strace) {
		open(STDERR, '>', "$trace.err");
		no warnings;
		exec 'strace', '-f', '-y', '-o', $trace, '-e',
		    'trace=fdatasync,fsync,openat,creat,rename,renameat,' .
		    'renameat2,link,linkat,unlinkat,mkdirat,sync,syncfs',
		    '-p', $pid;
		POSIX::_exit(127);
	}
	my $ended;
	my $up = $d->wait(sub {
		$ended = waitpid($strace, WNOHANG) == $strace;
		return $ended ||
		    Spoolkit::slurp("$trace.err") =~ /attached/;
	}, 20);
	$strace = undef if $ended;
	return $up && !$ended;
}

sub lines { return split /\n/, Spoolkit::slurp($trace) }
sub flushes { return grep { /fdatasync\(/ } @_ }
# Files made, moved or removed for this message.
sub files {
	my ($id, @lines) = @_;
	return grep { /$id/ &&
	    /openat\(.*O_CREAT|creat\(|rename|link|mkdirat/ } @lines;
}

# The id in the reply.
sub id_of { return $_[0] =~ /^250 2\.0\.0 (\w{12})/ ? $1 : '-' }

ok $d->wait_log(qr/event=loaded/, 20), 'the spool is loaded';
ok attach(), 'strace may look at the spooler'
    or BAIL_OUT('strace: ' . Spoolkit::slurp("$trace.err"));

# Held for later, so that no outcome has a flush of its own.
$d->ctl(qw(pause mta));
for my $n (1, 10, 100) {
	my $c = $d->session;
	$c->command('EHLO client.test');
	my $from = lines();
	my ($code, $text) = $c->message('a@b.test',
		[map { "u$_\@now.test" } 1 .. $n], "Subject: $n\n\n" . 'x' x 3000);
	my @seen = lines();
	is $code, 250, "$n recipients are taken";
	my @cost = @seen[$from .. $#seen];
	is scalar(flushes(@cost)), 1, 'with one flush before the answer'
	    or diag(join "\n", @cost);
	is scalar(files(id_of($text), @cost)), 0, 'and no file' or diag(join "\n", @cost);
	$c->command('QUIT');
}
ok $d->wait(sub { $d->queue_files == 114 }, 15), 'later there are files';
is scalar(grep { /openat\(.*queue.*O_CREAT/ } lines()), 114,
    'which the trace shows';
$d->ctl(qw(resume mta));
ok $d->wait(sub { $d->queue_files == 0 }, 20), 'and none after delivery';

note('a hundred sessions');
my $from = lines();
my $flood = fork // die "fork: $!\n";
if (!$flood) {
	open(STDOUT, '>', $d->dir . '/flood');
	no warnings;
	exec "$bench/flood", '--port', $d->port, '--sessions', 100,
	    '--messages', 2000, '--to', 'u%r@users.test', '--acks',
	    $d->dir . '/acks', '--json';
	POSIX::_exit(127);
}
ok $d->wait(sub { waitpid($flood, WNOHANG) == $flood }, 60), 'have sent';
my @acks = grep { /^ack / } split /\n/, Spoolkit::slurp($d->dir . '/acks');
is scalar(@acks), 2000, '2000 messages are taken';
my @seen = lines();
my $count = flushes(@seen[$from .. $#seen]);
cmp_ok $count, '<', 400, "below 0.2 flushes a message: $count";
ok $d->wait(sub { $d->queue_files == 0 && $d->queue == 0 }, 30),
    'the queue is empty again';

note('relayed at once');
my ($quick, @made) = (0);
for my $i (1 .. 20) {
	my $had = $mx->messages('ok');
	my $began = time;
	$from = lines();
	my $text = $d->send('a@b.test', "now$i\@now.test",
	    "Subject: $i\n\nhi\n");
	my $id = id_of($text);
	isnt $id, '-', "message $i is taken";
	ok $d->wait(sub { $mx->messages('ok') > $had }, 10), 'and relayed';
	# A machine that is slow with it may need a file.
	next if time - $began > 0.8;
	$quick++;
	$d->wait(sub { $d->queue == 0 }, 10);
	@seen = lines();
	push @made, files($id, @seen[$from .. $#seen]);
}
cmp_ok $quick, '>=', 5, "$quick of them within a second";
is scalar(@made), 0, 'no file was made for those' or diag(join "\n", @made);
kill 'TERM', $strace;
waitpid $strace, 0;
$strace = undef;
$d->stop;
done_testing;
