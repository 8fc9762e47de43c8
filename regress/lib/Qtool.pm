# A spool for the tests of qtool: made through the library, no daemon.
package Qtool;

use strict;
use warnings;

use Exporter 'import';
use File::Find ();
use File::Temp 'tempdir';
use Digest::SHA ();

use Spoolkit;

our @EXPORT_OK = qw(qtool qtool_err fill drive ring tree);

my $build = Spoolkit::build_dir();

# Runs qtool; in list context its exit code and standard output.
sub qtool {
	my ($code, $out) = qtool_err(@_);
	return wantarray ? ($code, $out) : $out;
}

# The same, and what it said on standard error.
sub qtool_err {
	my (@words) = @_;
	my $said = File::Temp->new;
	my $pid = open(my $from, '-|') // die "fork: $!\n";
	if (!$pid) {
		open(STDERR, '>', $said->filename);
		{ no warnings; exec "$build/qtool", @words; }
		POSIX::_exit(127);
	}
	local $/;
	my $out = <$from> // '';
	close $from;
	return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $out,
		Spoolkit::slurp($said->filename));
}

# A queue of failed mail in files.
sub fill {
	my ($spool, %o) = @_;
	my @more = map { ("--$_" => $o{$_}) } keys %o;
	system("$build/bench/fill --dir $spool @more >/dev/null") == 0
	    or die "fill: $?\n";
}

# regress/spool/qdrive.c with settings in its environment.
sub drive {
	my ($env, @words) = @_;
	local %ENV = (%ENV, QUIET => 1, %$env);
	my $out = qx($build/spool/qdrive @words);
	die "qdrive @words: $?\n" if $?;
	return $out;
}

# A key ring of one active key.
sub ring {
	my ($path, $kid) = @_;
	my $key = join '', map { chr(int rand 256) } 1 .. 32;
	require MIME::Base64;
	Spoolkit::spew($path, "$kid active 2026-11-22T00:00:00Z aes-256-gcm "
		. MIME::Base64::encode_base64($key));
	chmod 0400, $path;
	return $path;
}

# All that reading may not change, a line a file. The times of a journal's
# segment say enough of its many octets.
sub tree {
	my ($dir) = @_;
	my @lines;
	File::Find::find({ no_chdir => 1, wanted => sub {
		my @s = lstat $_;
		my $sum = -f _ && -s _ < 1 << 20 ? Digest::SHA->new(256)->addfile($_)->hexdigest
		    : '-';
		push @lines, join ' ', $_, @s[1 .. 5], @s[7, 9, 10], $sum;
	} }, $dir);
	return join "\n", sort @lines;
}

1;
