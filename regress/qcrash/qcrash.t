#!/usr/bin/perl
# The short form of the crash test: the recorder misses no call, some thousand
# states of all workloads, a few mutants. `make crashtest` is the long one.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib $FindBin::Bin;
use Mutants;
use Test::More;

my $build = $ENV{BUILD} || 'build';
my $qcrash = "$build/qcrash/qcrash";
my $dir = tempdir(CLEANUP => 1);
# The recorder stands before the sanitizers' own library.
$ENV{ASAN_OPTIONS} = 'verify_asan_link_order=0:detect_leaks=0';

my $calls = join(',', qw(open openat openat2 creat write writev pwrite64
    pwritev pwritev2 ftruncate truncate fallocate fsync fdatasync syncfs
    sync_file_range link linkat symlink symlinkat rename renameat renameat2
    unlink unlinkat mkdir mkdirat rmdir fchmod fchmodat chmod fchown fchownat
    copy_file_range sendfile splice io_uring_setup io_uring_enter));

sub name_of {
	my ($root, $base, $path) = @_;
	$path = "$base/$path" if $path !~ m,^/, && defined($base);
	$path =~ s,/(\./)+,/,g;
	$path =~ s,/\.$,,;
	return $path eq $root ? '' : $path =~ s,^\Q$root\E/,, ? $path : undef;
}

# What strace saw below root, as "call name" with how often.
sub seen {
	my ($trace, $root) = @_;
	my (%seen, %open);
	open(my $in, '<', $trace) or die "$trace: $!";
	while (my $line = <$in>) {
		$line =~ s/\\x([0-9a-f]{2})/chr(hex($1))/ge;
		my ($pid, $rest) = $line =~ /^(\d+)\s+(.*)$/s or next;
		if ($rest =~ /^(.*)<unfinished \.\.\.>/s) {
			$open{$pid} = $1;
			next;
		}
		$rest = delete($open{$pid}) . $1
		    if $rest =~ /^<\.\.\. \w+ resumed>(.*)$/s
		    && exists($open{$pid});
		my ($call, $args, $result) =
		    $rest =~ /^(\w+)\((.*)\)\s+= (-?\d+)/s or next;
		next if $result == -1;
		my @names;
		# A descriptor with its path, or a name relative to one.
		while ($args =~ /\G.*?(?:(?:\d+|AT_FDCWD)<([^>]*)>(?:\(deleted\))?)?
		    (?:,\s)?"([^"]*)"/gsx) {
			push(@names, name_of($root, $1, $2));
		}
		my ($at) = $args =~ /^\d+<([^>]*)>/;
		# It promises nothing, so nothing is written down about it.
		next if $call eq 'sync_file_range';
		if ($call =~ /^(p?write|f|sync)/ && $call !~ /at$/) {
			next if !defined($at);
			@names = (name_of($root, undef, $at));
		}
		next if grep { !defined } @names or !@names;
		if ($call =~ /^open/) {
			next if $args !~ /O_(WRONLY|RDWR|CREAT|TRUNC)/;
			$call = 'openat';
		}
		$call = 'write' if $call =~ /^p?write/;
		$call = 'rename' if $call =~ /^rename/;
		$call = $args =~ /AT_REMOVEDIR/ ? 'rmdir' : 'unlink'
		    if $call =~ /^unlink/;
		$call =~ s/^(link|mkdir|fchmod|fchown)at$/$1/;
		$seen{"$call $names[0]"}++;
	}
	return \%seen;
}

sub recorded {
	my %recorded;
	for (split(/\n/, $_[0])) {
		s/^p?writev? /write /;
		$recorded{$_}++;
	}
	return \%recorded;
}

sub compare {
	my (@args) = @_;
	my $root = "$dir/spool" . join('-', @args);
	mkdir($root, 0700);
	my $out = `strace -f -y -xx -qq -s 0 -e trace=$calls -o $dir/trace \\
	    $qcrash @args $root 2>&1`;
	die "$qcrash @args: $out" if $? != 0;
	return (recorded($out), seen("$dir/trace", $root));
}

for my $work (qw(large spare)) {
	my ($recorded, $seen) = compare('record', $work);
	is_deeply($recorded, $seen, "strace sees of $work what was recorded");
	my $calls = 0;
	$calls += $_ for values %$recorded;
	cmp_ok($calls, '>', 100, "which are $calls calls");
}
my ($recorded, $seen) = compare('stray');
is($recorded->{'write seen'}, 1, 'a write past the recorder');
is($seen->{'write seen'}, 2, 'would be noticed');

# With sanitizers a recovery takes a second: a taste, that they see all of it.
my ($states, @works) = $ENV{SAN} ? (8, qw(partial large restart)) : 60;
my $out = `$qcrash run -s $states -i 3 -r 2 -S 1 @works 2>&1`;
is($? >> 8, 0, 'no state violates a promise') or diag($out);
my ($n) = $out =~ /^qcrash: (\d+) distinct states/m;
cmp_ok($n // 0, '>', $states * (@works || 24) * 3 / 4, ($n // 'no') . ' states');
diag($out =~ /^(qcrash: .*)$/m);

my @stale;
for my $mutant (Mutants::all()) {
	for my $file (keys %{ $mutant->{files} }) {
		eval { Mutants::changed($mutant, $file) } // push(@stale, $@);
	}
}
is(join('', @stale), '', 'every mutant still fits its file');

my %wanted = map { $_ => 1 } $ENV{SAN}
    ? 'no-flush'
    : qw(no-flush large-name-not-flushed state-not-flushed);
for my $mutant (grep { $wanted{ $_->{name} } } Mutants::all()) {
	my ($found, $tried, $what) = Mutants::hunt($build, $mutant, 1000, 20);
	ok($found, "$mutant->{name} is caught after $tried states");
}
done_testing();
