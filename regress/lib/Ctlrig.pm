# The real control role among fake ones (regress/spool/ctlrig.c), and a raw
# speaker of the control protocol.
package Ctlrig;
use strict;
use warnings;
use File::Temp;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(time);

our $build = $ENV{BUILD} // 'build';
use constant { HELLO => 0x900, REQUEST => 0x901, ROW => 0x902, LINE => 0x903,
    LOST => 0x904, DONE => 0x905 };

# rows, lines, silent
sub start {
	my ($class, %o) = @_;
	my $dir = File::Temp->newdir(TMPDIR => 1);
	chmod 0777, "$dir";
	my $self = bless { dir => $dir, socket => "$dir/control.sock",
	    log => "$dir/log" }, $class;
	pipe(my $stdin, $self->{stdin}) or die "pipe: $!";
	pipe(my $out, my $stdout) or die "pipe: $!";
	$self->{rig} = fork() // die "fork: $!";
	if ($self->{rig} == 0) {
		close $self->{stdin};
		open STDIN, '<&', $stdin;
		open STDOUT, '>&', $stdout;
		open STDERR, '>>', $self->{log};
		exec "$build/spool/ctlrig", $self->{socket}, $o{rows} // 3,
		    $o{lines} // 0, $o{silent} // ()
		    or POSIX::_exit(127);
	}
	close $stdout;
	my $line = <$out> // '';
	$line =~ /^pid (\d+)/ or die "no rig: " . $self->log;
	$self->{pid} = $1;
	return $self;
}

sub DESTROY {
	my ($self) = @_;
	local ($?, $!);
	close $self->{stdin};
	waitpid $self->{rig}, 0;
}

sub log {
	my ($self) = @_;
	open my $f, '<', $self->{log} or return '';
	local $/;
	return scalar(<$f>) // '';
}

# Waits until the log matches.
sub logged {
	my ($self, $re, $seconds) = @_;
	my $until = time + ($seconds // 60);
	until ($self->log =~ $re) {
		return 0 if time > $until;
		select undef, undef, undef, 0.02;
	}
	return 1;
}

sub alive {
	my ($self) = @_;
	return kill 0, $self->{pid};
}

# A field of /proc/PID/status, in KiB.
sub memory {
	my ($self, $field) = @_;
	open my $f, '<', "/proc/$self->{pid}/status" or return;
	/^$field:\s+(\d+) kB/ && return $1 while <$f>;
	return;
}

# Runs smtpctl; returns its exit code, stdout and stderr. as: a list of words
# to put in front (setpriv ...).
sub smtpctl {
	my ($self, @args) = @_;
	return $self->run_as([], @args);
}

sub run_as {
	my ($self, $as, @args) = @_;
	my ($out, $err) = ("$self->{dir}/out", "$self->{dir}/err");
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		$ENV{SMTPD_CONTROL} = $self->{socket};
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $out;
		open STDERR, '>', $err;
		exec @$as, "$build/smtpctl", @args or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	my $code = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
	return ($code, map { open my $f, '<', $_; local $/; <$f> // '' }
	    $out, $err);
}

# Raw protocol.

sub str { return 's' . pack('N', length($_[0]) + 1) . "$_[0]\0" }
sub u32 { return 'w' . pack('N', $_[0]) }
sub frame { return pack('Nnn', length $_[1], $_[0], 0) . $_[1] }
sub hello { return frame(HELLO, u32($_[0] // 1) . str('test') . str('')) }

sub request {
	my ($command, @args) = @_;
	return frame(REQUEST, str($command) . str('') . u32(0) . 'h'
	    . pack('n', scalar @args) . join('', map { str($_) } @args));
}

sub connect {
	my ($self) = @_;
	return IO::Socket::UNIX->new(Peer => $self->{socket})
	    // die "connect: $!";
}

# The next frame: type and payload; nothing at the end.
sub frame_of {
	my ($s, $seconds) = @_;
	my $header = octets($s, 8, $seconds) // return;
	my ($len, $type) = unpack 'Nn', $header;
	return ($type, $len == 0 ? '' : octets($s, $len, $seconds) // return);
}

sub octets {
	my ($s, $want, $seconds) = @_;
	my $got = '';
	while (length $got < $want) {
		IO::Select->new($s)->can_read($seconds // 60) or return;
		my $n = sysread $s, $got, $want - length $got, length $got;
		return if !$n;
	}
	return $got;
}

1;
