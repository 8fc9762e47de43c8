package Spoolkit;

# Spoolkit - a daemon of our own for a system test
#
#   use Spoolkit;
#   my $d = Spoolkit->start(conf => <<'END');
#   accept from any for domain "example.org" users any \
#       deliver to maildir "%DIR%/mail/%{user}"
#   END
#   is $d->send('a@b.example', 'ann@example.org', "Subject: x\n\nhello\n"),
#       ..., 'taken';
#   my ($exit, $out, $err) = $d->ctl(qw(show queue));
#   $d->wait(sub { $d->queue_files == 0 }, 5) or fail 'queue stays';
#   $d->stop;                   # one test: exit 0, below 5 s, no sanitizer
#
# Everything lives in a temporary directory and on free ports of loopback, and
# is killed at the end whatever happens. Tests run by root start the daemon as
# nobody, unless as_root => 1. Waiting is polling at 20 ms for what is awaited,
# never a fixed sleep, and a minute at least before it is given up: how long a
# thing takes says nothing where others load the machine as well.

use strict;
use warnings;

use Cwd qw(abs_path);
use Fcntl qw(O_CREAT O_WRONLY);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(time);

use Spoolkit::Client;

my $TICK = 0.02;
my $PATIENCE = 60;
my $START_LIMIT = 60;
my $STOP_LIMIT = 5;
my @living;

sub nap {
	select(undef, undef, undef, $TICK);
}

# A TCP port that nobody has now, nor gets before it is used: below those that
# the system gives to clients, which come and go while a daemon is started
# again, and others for each process that asks.
my $ports = 0;
sub free_port {
	for (1 .. 1000) {
		my $port = 10000 + ($$ * 40 + $ports++) % 20000;
		return $port if IO::Socket::INET->new(LocalAddr => '0.0.0.0',
			LocalPort => $port, Proto => 'tcp');
	}
	die "no free port: $!\n";
}

sub build_dir {
	my $b = abs_path($ENV{BUILD} || 'build');
	die "BUILD: no such directory\n" unless defined $b;
	return $b;
}

# start(%option): makes the directory, the configuration, starts the daemon
# and waits for its banner.
#   conf     rules and options; spool, control, listen and hostname are added
#            where they are not given. %DIR% and %PORT% are replaced, and %NAME%
#            for each NAME of vars
#   vars     { NAME => value }
#   files    { NAME => text } beside the configuration, for the daemon alone
#   flags    more words for the command line: ['-v']
#   env      { NAME => value }
#   as_root  stay root when the test is
#   clock    0: no test clock
#   leaks    1: have LeakSanitizer look as well
#   banner   0: do not wait for 220, only for the control socket
sub start {
	my ($class, %o) = @_;
	my $self = bless {
		flags => $o{flags} || [], env => $o{env} || {},
		vars => $o{vars} || {}, port => $o{port} || free_port(),
		clock => $o{clock} // 1, leaks => $o{leaks} || 0,
		banner => $o{banner} // 1, ctls => 0, files => $o{files} || {},
		drop => $> == 0 && !$o{as_root},
	}, $class;
	$self->make_dir;
	$self->put_file($_, $self->{files}{$_}) for keys %{$self->{files}};
	$self->set_conf($o{conf} // '');
	push @living, $self;
	$self->run;
	return $self;
}

sub make_dir {
	my ($self) = @_;
	my $build = build_dir();

	$self->{dir} = abs_path(tempdir('spoolkit.XXXXXX', TMPDIR => 1,
		CLEANUP => !$ENV{SPOOLKIT_KEEP}));
	$self->{log} = "$self->{dir}/log";
	$self->{bin} = $build;
	chmod 0755, $self->{dir};
	mkdir "$self->{dir}/mail";
	$self->clock(0);
	return unless $> == 0;
	# Whoever may not enter the clone can run these.
	$self->{bin} = "$self->{dir}/bin";
	mkdir $self->{bin};
	for my $name (qw(smtpd smtpd-agent smtpctl)) {
		next unless -e "$build/$name";
		copy("$build/$name", "$self->{bin}/$name")
		    or die "$build/$name: $!\n";
		chmod 0755, "$self->{bin}/$name";
	}
	return unless $self->{drop};
	my (undef, undef, $uid, $gid) = getpwnam('nobody');
	$self->{ids} = [$uid, $gid];
	chown $uid, $gid, $self->{dir}, "$self->{dir}/mail";
}

# Replaces the configuration; the daemon reads it when told to.
sub set_conf {
	my ($self, $conf) = @_;
	my %vars = (%{$self->{vars}},
		DIR => $self->{dir}, PORT => $self->{port});
	my $head = '';

	$head .= "hostname mail.test.example\n" if $conf !~ /^hostname\b/m;
	$head .= "spool \"%DIR%/spool\"\n" if $conf !~ /^spool\b/m;
	$head .= "control \"%DIR%/sock\"\n" if $conf !~ /^control\b/m;
	$head .= "listen on 127.0.0.1 port %PORT%\n" if $conf !~ /^listen\b/m;
	$conf = $head . $conf;
	for my $name (keys %vars) {
		$conf =~ s/%\Q$name\E%/$vars{$name}/g;
	}
	spew($self->conf, $conf);
	# With passwords in it, it is for the daemon alone.
	$self->close_file($self->conf) if $conf =~ /\bauth\s+</;
}

# A file that only the daemon may read.
sub put_file {
	my ($self, $name, $text) = @_;
	spew("$self->{dir}/$name", $text);
	$self->close_file("$self->{dir}/$name");
}

sub close_file {
	my ($self, $path) = @_;
	chown @{$self->{ids}}, $path if $self->{ids};
	chmod 0600, $path;
}

sub spew {
	my ($path, $text) = @_;
	open(my $f, '>', $path) or die "$path: $!\n";
	print $f $text;
	close($f) or die "$path: $!\n";
}

sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or return '';
	local $/;
	return scalar(<$f>) // '';
}

sub dir { $_[0]{dir} }
sub port { $_[0]{port} }
sub pid { $_[0]{pid} }
sub conf { "$_[0]{dir}/smtpd.conf" }
sub socket_path { "$_[0]{dir}/sock" }

# The words before a command that make it run as the daemon's user.
sub as_user {
	my ($self) = @_;
	return () unless $self->{drop};
	my ($uid, $gid) = @{$self->{ids}};
	return ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups');
}

sub child_env {
	my ($self) = @_;
	my $leaks = $self->{leaks} ? 1 : 0;

	$ENV{ASAN_OPTIONS} = "detect_leaks=$leaks";
	$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1:halt_on_error=1';
	$ENV{SMTPD_TEST_CLOCK} = "$self->{dir}/clock" if $self->{clock};
	$ENV{$_} = $self->{env}{$_} for keys %{$self->{env}};
}

# Runs a command with its output in files. Returns its pid.
sub spawn {
	my ($self, $out, $err, @command) = @_;
	my $pid = fork // die "fork: $!\n";

	return $pid if $pid;
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>>', $out) or POSIX::_exit(126);
	open(STDERR, '>>', $err) or POSIX::_exit(126);
	$self->child_env;
	chdir $self->{dir};
	{
		no warnings;
		exec $self->as_user, @command;
	}
	POSIX::_exit(127);
}

# Starts the daemon once more in its directory and waits until it answers, all
# its processes being there.
sub run {
	my ($self) = @_;

	die "the daemon runs already\n" if $self->{pid};
	$self->{started} = time;
	$self->{pid} = $self->spawn($self->{log}, $self->{log},
		"$self->{bin}/smtpd", '-d', @{$self->{flags}}, '-f',
		$self->conf);
	my $up = $self->wait(sub {
		return 'dead' if $self->reaped;
		return 0 unless $self->{banner} ? $self->answers
		    : -S $self->socket_path;
		return $self->logged(qr/event=ready pid=$self->{pid}\b/);
	}, $START_LIMIT);
	return $self if $up && $up ne 'dead';
	my $why = $up ? "ended with status $self->{status}" : 'is not up';
	$self->kill9;
	die "smtpd $why:\n" . join("\n", $self->last_log(20)) . "\n";
}

# True when a banner comes.
sub answers {
	my ($self) = @_;
	my $c = Spoolkit::Client->connect($self->{port}, 2) or return 0;
	my ($code) = $c->reply;

	return 0 unless $code;
	$c->close;
	return $code == 220 || $code == 421 ? 1 : 0;
}

# Seconds since the daemon was started.
sub age { time - $_[0]{started} }

sub reaped {
	my ($self) = @_;
	return 1 unless $self->{pid};
	return 0 if waitpid($self->{pid}, WNOHANG) != $self->{pid};
	$self->{status} = $?;
	$self->{pid} = undef;
	return 1;
}

# Calls the sub every 20 ms until it is true. Returns what it said; false when
# the time is over. Not for what should not happen: that takes a minute.
sub wait {
	my ($self, $sub, $limit) = @_;
	my $end = time + (($limit // 0) > $PATIENCE ? $limit : $PATIENCE);

	for (;;) {
		my $v = $sub->();
		return $v if $v;
		return 0 if time > $end;
		nap();
	}
}

# { role => pid } of those that run now.
sub role_pids {
	my ($self) = @_;
	my %pids;

	return {} unless $self->{pid};
	for (`ps -ww -o pid=,args= --ppid $self->{pid}`) {
		$pids{$2} = $1 if /^\s*(\d+)\s.*\s-x\s+(\w+)/;
	}
	return \%pids;
}

# smtpctl with these words: (exit code, stdout, stderr).
sub ctl {
	my ($self, @words) = @_;
	return $self->ctl_on($self->socket_path, @words);
}

sub ctl_on {
	my ($self, $socket, @words) = @_;
	my $n = ++$self->{ctls};
	my ($out, $err) = map { "$self->{dir}/ctl$n.$_" } qw(out err);
	my $pid = $self->spawn($out, $err, "$self->{bin}/smtpctl", '-s',
		$socket, @words);
	my $status;
	my $ended = $self->wait(sub {
		return 0 if waitpid($pid, WNOHANG) != $pid;
		$status = $?;
		return 1;
	}, 60);
	if (!$ended) {
		kill 'KILL', $pid;
		waitpid $pid, 0;
		$status = 124 << 8;
	}
	my @r = ($status >> 8 || ($status & 127 ? 128 + ($status & 127) : 0),
		slurp($out), slurp($err));
	unlink $out, $err;
	return @r;
}

# smtpctl -j with these words: a list of the objects, header and end included.
sub ctl_json {
	my ($self, @words) = @_;
	my (undef, $out) = $self->ctl('-j', @words);
	my $json = JSON::PP->new->utf8;

	return map { $json->decode($_) } grep { /\S/ } split /\n/, $out;
}

# The envelopes of show queue, as hashes.
sub queue {
	my ($self, @words) = @_;
	return grep { ($_->{type} // '') eq 'envelope' }
	    $self->ctl_json(qw(show queue), @words);
}

# Moves the daemon's wall clock; in all, not once more. The file is never
# empty, nor is a number ever half written.
sub clock {
	my ($self, $seconds) = @_;
	my $path = "$self->{dir}/clock";

	sysopen(my $f, $path, O_WRONLY | O_CREAT, 0644) or die "$path: $!\n";
	syswrite($f, sprintf("%+020d\n", $seconds));
	close($f);
	$self->{shift} = $seconds;
}

# The daemon's wall clock.
sub now { int(time) + ($_[0]{shift} // 0) }

# A new SMTP session, its banner read; undef when there is none.
sub session {
	my ($self, %o) = @_;
	my $c = Spoolkit::Client->connect($self->{port}, $o{timeout} // 30)
	    or return;
	$c->reply;
	return $c;
}

# One message over a session of its own. Returns the reply that decided: that
# to the end of data, or the first refusal; '' when the connection broke.
sub send {
	my ($self, $from, $to, $data, %o) = @_;
	my $c = $self->session(%o) or return '';
	my ($code, $text) = $c->command('EHLO ' . ($o{helo} // 'client.test'));

	($code, $text) = $c->message($from, ref $to ? $to : [$to], $data)
	    if $code == 250;
	$c->command('QUIT') if $code;
	$c->close;
	return $text;
}

sub log {
	my ($self) = @_;
	return split /\n/, slurp($self->{log});
}

sub last_log {
	my ($self, $n) = @_;
	my @l = $self->log;
	return @l > $n ? @l[-$n .. -1] : @l;
}

# Lines of the log that match.
sub logged {
	my ($self, $re) = @_;
	return grep { $_ =~ $re } $self->log;
}

# Waits until at least n lines match.
sub wait_log {
	my ($self, $re, $limit, $n) = @_;
	return $self->wait(sub { $self->logged($re) >= ($n // 1) }, $limit);
}

# Names in the tree of the queue: messages (12 digits), envelopes (16).
sub queue_files {
	my ($self) = @_;
	return map { s,.*/,,r } glob("$self->{dir}/spool/queue/*/*");
}

# Contents of the files in new/ of a maildir below mail/.
sub maildir {
	my ($self, $name) = @_;
	return map { slurp($_) } sort glob("$self->{dir}/mail/$name/new/*");
}

# What a sanitizer said, if anything.
sub sanitizer_lines {
	my ($self) = @_;
	return $self->logged(
	    qr/AddressSanitizer|LeakSanitizer|runtime error:/);
}

# Ends the daemon and tests that this went well. Returns the seconds it took.
sub stop {
	my ($self, $name) = @_;
	my $start = time;
	my $ended;

	kill 'TERM', $self->{pid} if $self->{pid};
	$ended = $self->wait(sub { $self->reaped }, 2 * $STOP_LIMIT);
	my $took = time - $start;
	my @bad = $self->sanitizer_lines;
	my $ok = Test::More::ok(
		$ended && $self->{status} == 0 && $took < $STOP_LIMIT && !@bad,
		$name // 'the daemon stops cleanly');
	if (!$ok) {
		Test::More::diag(sprintf('status %s after %.1f s',
			$ended ? $self->{status} : 'none', $took));
		Test::More::diag($_) for @bad ? @bad : $self->last_log(15);
	}
	$self->kill9 unless $ended;
	return $took;
}

sub restart {
	my ($self) = @_;
	$self->stop('the daemon stops to be restarted');
	return $self->run;
}

# kill -9 of the whole set, or of the roles named. Of the former nothing is
# left when this returns.
sub kill9 {
	my ($self, @roles) = @_;
	my $pids = $self->role_pids;

	if (@roles) {
		return kill 'KILL', grep { defined } @$pids{@roles};
	}
	my @all = values %$pids;
	kill 'KILL', $self->{pid} if $self->{pid};
	kill 'KILL', @all if @all;
	if ($self->{pid}) {
		waitpid $self->{pid}, 0;
		$self->{status} = $?;
		$self->{pid} = undef;
	}
	$self->wait(sub { !grep { kill 0, $_ } @all }, 5);
}

END {
	my $saved = $?;
	for my $d (@living) {
		$d->kill9 if $d->{pid};
		next unless $d->sanitizer_lines;
		Test::More::diag($_) for $d->sanitizer_lines;
		$saved ||= 1;
	}
	$? = $saved;
}

1;
