package Spoolkit::Ring;

# Spoolkit::Ring - key ring files for tests of a sealed spool
#
#   my $ring = Spoolkit::Ring->new;
#   $ring->write(active => 'first-key-000001');
#   my $d = Spoolkit->start(vars => { RING => $ring->path },
#       conf => "queue encryption key file:%RING%\n...");
#
# A kid's key is the same whenever and wherever it is written. The files are
# those of the daemon's user, mode 0400.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64);

sub new {
	my ($class) = @_;
	my $dir = tempdir('ring.XXXXXX', TMPDIR => 1, CLEANUP => 1);

	chmod 0755, $dir;
	return bless { dir => $dir }, $class;
}

sub path { "$_[0]{dir}/" . ($_[1] // 'ring') }

# The 32 octets of a kid, and their text.
sub secret { sha256("test key $_[1]") }
sub base64 { encode_base64($_[0]->secret($_[1]), '') }

sub line {
	my ($self, $state, $kid) = @_;
	return "$kid $state 2026-11-22T13:21:09Z aes-256-gcm "
	    . $self->base64($kid) . "\n";
}

# write(state => kid, ...): the ring, one line a pair.
sub write {
	my ($self, @keys) = @_;
	my $text = "# a ring of a test\n";

	while (my ($state, $kid) = splice @keys, 0, 2) {
		$text .= $self->line($state, $kid);
	}
	return $self->put('ring', $text);
}

# A file of any text, with the mode and owner a secret must have.
sub put {
	my ($self, $name, $text, $mode) = @_;
	my $path = $self->path($name);

	unlink $path;
	open(my $f, '>', $path) or die "$path: $!\n";
	print $f $text;
	close($f) or die "$path: $!\n";
	chmod $mode // 0400, $path;
	chown((getpwnam('nobody'))[2, 3], $path) if $> == 0;
	return $self;
}

1;
