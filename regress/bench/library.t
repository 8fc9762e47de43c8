#!/usr/bin/perl
# build/bench/library runs, and a selector of three tests is asked about
# 100,000 envelopes in well under 50 ms of processor time.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $build = $ENV{BUILD} || 'build';
my $dir = tempdir(CLEANUP => 1);

# {name} => [value, ratio]
sub figures {
	my (@words) = @_;
	my %rows;
	open(my $fh, '-|', "$build/bench/library", '--dir', $dir, '--tabs',
	    '--quick', @words) or die;
	while (<$fh>) {
		chomp;
		my ($name, $unit, $value, $ratio) = split(/\t/);
		$rows{$name} = [$value, $ratio] if defined $value;
	}
	close($fh);
	is($?, 0, "library @words");
	return \%rows;
}

my $s = figures('selector');
my $three = $s->{'rcpt.domain = d7.example && age > 1h && !held'}[0];
ok($three > 0, "three tests: $three ms per 100,000");
cmp_ok($three, '<', 50, 'is quick') if !$ENV{SAN};
ok(!grep({ $_->[0] <= 0 } values %$s), 'every figure is one');

my $f = figures('forms');
cmp_ok($f->{'zstd:1: octets stored'}[1], '<', 0.8, 'prose is compressed');
cmp_ok($f->{'sealed: octets stored'}[1], '<', 1.3, 'sealing adds little');
ok(!grep({ $_->[0] <= 0 } values %$f), 'every figure is one');
is_deeply([glob("$dir/*")], [], 'nothing is left behind');

done_testing();
