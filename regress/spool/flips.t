#!/usr/bin/env perl
# One bit flipped at an octet, or the file cut off there, of the files in
# queue/ and of the live journal of a small queue: all of it is noticed, and
# nothing is delivered short or to somebody else. A sample of the octets; all
# of them with FLIPS=all (more than half an hour).
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

my $all = ($ENV{FLIPS} // '') eq 'all';
# On a disk each case would wait for its flushes.
my $dir = tempdir(CLEANUP => 1, -w '/dev/shm' ? (DIR => '/dev/shm')
    : (TMPDIR => 1));

my @runs = (
	['sealed', 'files', 61], ['plain', 'files', 71],
	['sealed', 'journal', 101], ['plain', 'journal', 131],
	['zstd', 'files', 149], ['both', 'files', 149],
);
push @runs, ['both', 'journal', 1], ['zstd', 'journal', 1] if $all;
for my $run (@runs) {
	my ($form, $what, $step) = @$run;
	my @out = qx($ENV{BUILD}/spool/qflip $dir/$form-$what $form $what @{[
	    $all ? 1 : $step]} 2>$dir/log);
	is($?, 0, "$form, $what") or diag(@out > 40 ? @out[0 .. 39] : @out);
	note($out[-1]);
	like($out[-1] // '', qr/ 0 broken,/, "$form, $what: none broken");
}
done_testing();
