# Faults of system calls in the daemon's roles (regress/fault/faultlib.c).
#
#   my $f = Faults->new;
#   my $d = Spoolkit->start(env => $f->env, ...);
#   $f->set(fdatasync => { error => 'EIO', path => 'journal/' });
#   ...
#   cmp_ok $f->clear('fdatasync'), '>', 0, 'it was injected';
#
# A row has error (a name of errno), or cut (octets that a call may take), or
# delay (ms, alone or with an error); every (1), skip (0: calls that go well
# first), most (0: no bound), role (spooler), path (part of the name; '': all).
# The call leave is the end of a process, which a delay puts off.
package Faults;

use strict;
use warnings;

use Cwd qw(abs_path);
use Errno ();
use Fcntl qw(O_CREAT O_RDWR SEEK_SET);
use File::Copy qw(copy);
use File::Temp qw(tempdir);

my @calls = qw(openat write writev pwrite pwritev fsync fdatasync syncfs
    unlinkat renameat pread read accept4 leave);
my %row = map { $calls[$_] => $_ } 0 .. $#calls;
my $SIZE = 128;
my $SEEN = 24;
my $EVERY = 4;

sub new {
	my ($class) = @_;
	my $dir = tempdir('faults.XXXXXX', TMPDIR => 1, CLEANUP => 1);
	my $self = bless { file => "$dir/faults", total => {} }, $class;

	# Whoever may not enter the clone can load it.
	my $lib = ($ENV{BUILD} || 'build') . '/fault/faultlib.so';
	copy($lib, "$dir/faultlib.so") or die "$lib: $!\n";
	chmod 0755, $dir, "$dir/faultlib.so";
	$self->{lib} = abs_path("$dir/faultlib.so");
	sysopen($self->{fh}, $self->{file}, O_CREAT | O_RDWR, 0666)
	    or die "$self->{file}: $!\n";
	chmod 0666, $self->{file};
	syswrite($self->{fh}, "\0" x ($SIZE * @calls));
	return $self;
}

sub env {
	my ($self) = @_;
	return { LD_PRELOAD => $self->{lib},
		FAULTS => $self->{file},
		ASAN_OPTIONS => 'detect_leaks=0:verify_asan_link_order=0' };
}

sub put {
	my ($self, $at, $octets) = @_;
	sysseek($self->{fh}, $at, SEEK_SET);
	syswrite($self->{fh}, $octets) == length $octets or die "faults: $!\n";
}

sub set {
	my ($self, $call, $o) = @_;
	my $at = $row{$call} * $SIZE;
	my $error = $o->{error} ? Errno->can($o->{error})->() : 0;

	$self->clear($call);
	$self->put($at + 8, pack('L4 Q2 a24 a64', $o->{skip} // 0,
		$o->{most} // 0, $o->{delay} // 0, $o->{cut} // 0, 0, 0,
		$o->{role} // 'spooler', $o->{path} // ''));
	$self->put($at, pack('L', $error));
	$self->put($at + $EVERY, pack('L', $o->{every} // 1));
}

# How often it was hit, so far.
sub hits {
	my ($self, $call) = @_;
	my $octets;

	sysseek($self->{fh}, $row{$call} * $SIZE + $SEEN, SEEK_SET);
	sysread($self->{fh}, $octets, 16);
	return (unpack('Q2', $octets))[1];
}

# Ends the fault. Returns how often it was hit.
sub clear {
	my ($self, $call) = @_;

	$self->put($row{$call} * $SIZE + $EVERY, pack('L', 0));
	return $self->hits($call);
}

1;
