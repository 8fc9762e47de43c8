#!/usr/bin/perl
# What a message costs the disk, counted by strace; and what happens when the
# disk refuses.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $drive = ($ENV{BUILD} || 'build') . '/spool/qdrive';
my $dir = tempdir(CLEANUP => 1);
my $count = 0;
my $spool;
$ENV{SEGMENT} = 1048576;
$ENV{CALM} = 200;

plan(skip_all => 'no strace that may trace')
    if system("strace -f -o /dev/null true 2>/dev/null") != 0;
plan(skip_all => 'strace and sanitizers do not go together') if $ENV{SAN};

# Runs under strace; the output and the lines of the trace after loading.
sub traced {
	my ($options, $env, @args) = @_;
	my $out = `env $env strace -f --seccomp-bpf -o $dir/trace $options $drive $spool @args 2>$dir/err`;
	my @lines;
	open(my $in, '<', "$dir/trace") or die;
	while (<$in>) {
		if (/write\(1, "LOADED/) {
			@lines = ();
			next;
		}
		last if /write\(1, "STATS/;
		# Asking for the figures has corrupt/ counted, beside them.
		next if /openat\(\d+, "corrupt"/;
		push(@lines, $_);
	}
	return ($out, @lines);
}

sub fresh {
	$spool = "$dir/spool" . $count++;
	system("$drive $spool list >/dev/null 2>&1") == 0 or die;
}

my $calls = '-e trace=fdatasync,fsync,openat,pwritev,write,unlinkat,renameat';
for my $n (1, 10, 100) {
	fresh();
	my ($out, @t) = traced($calls, '', 'put', 1, 4096, $n, 1);
	is(scalar(() = $out =~ /^ACK/mg), $n, "$n recipients");
	is(scalar(grep { /fdatasync\(/ } @t), 1, 'one flush');
	is(scalar(grep { /pwritev\(/ } @t), 1, 'one write');
	is(scalar(grep { /fsync\(|openat\(|unlinkat\(|renameat/ } @t), 0,
	    'no file is opened');
}
fresh();
my ($out, @t) = traced($calls, 'QUIET=1', 'put', 400, 4096, 1, 20);
my $flushes = grep { /fdatasync\(/ } @t;
cmp_ok($flushes, '<', 200, "400 messages, 20 at a time: $flushes flushes");
my ($groups) = $out =~ / groups=(\d+)/;
cmp_ok($flushes, '<=', $groups, 'at most one a group');

fresh();
($out, @t) = traced($calls, '', 'put', 1, 300000, 2, 1);
is(scalar(grep { /fdatasync\(/ } @t), 2, 'a large body: its file and the put');
is(scalar(grep { / fsync\(/ } @t), 1, 'and its directory');
is(scalar(grep { /openat\(.*O_CREAT/ } @t), 1, 'one file');
is(scalar(grep { /renameat/ } @t), 0, 'not moved yet');

note('delivered within a second');
fresh();
($out, @t) = traced($calls, 'QUIET=1', 'cycle', 50, 4096);
is(scalar(grep { /openat\(.*O_CREAT/ && !/state/ } @t), 0, 'no file is made');
is(scalar(grep { /unlinkat\(/ } @t), 0, 'none is removed');

note('a flush that fails');
fresh();
my $inject = '-e trace=write,fdatasync -e inject=fdatasync:error=EIO:when=3';
($out) = traced($inject, '', 'crash', 'put', 12, 3000, 1, 1);
my @acked = $out =~ /^ACK (\w+)/mg;
my @refused = $out =~ /^REFUSED (\w+)/mg;
is(scalar(@acked), 11, 'the others are taken');
is(scalar(@refused), 1, 'the group is refused');
my $list = `$drive $spool check 3000 2>&1`;
is(join(' ', sort($list =~ /^ENV (\w+)/mg)), join(' ', sort @acked),
    'after the crash: those that were answered, and no other');
unlike($list, qr/alarm=./, 'no alarm: the segment was cut');

note('outcomes that stood in the segment whose flush failed');
fresh();
system("$drive $spool put 6 100 1 >/dev/null 2>&1");
$inject = '-e trace=write,fdatasync -e inject=fdatasync:error=EIO:when=2';
($out) = traced($inject, '', 'crash', 'drain');
is(scalar(() = $out =~ /^DONE/mg), 6, 'all ended');
$list = `$drive $spool list 2>&1`;
unlike($list, qr/^ENV/m, 'and none comes back');

note('a disk that refuses every flush');
fresh();
$inject = '-e trace=write,fdatasync -e inject=fdatasync:error=EIO';
($out) = traced($inject, '', 'put', 3, 3000, 1, 1);
is(scalar(() = $out =~ /^REFUSED/mg), 3, 'no mail is taken');
like($out, qr/alarm=journal: .*flush/, 'and it says why');
unlike(`$drive $spool list 2>&1`, qr/^ACK/m, 'nothing is made of it');

note('no room for files');
fresh();
$inject = '-e trace=write,writev -e inject=writev:error=ENOSPC:when=1..5';
($out) = traced($inject, 'SETTLE=1 REST=5500', 'put', 5, 3000, 1, 5);
$list = `$drive $spool check 3000 2>&1`;
is(scalar(() = $list =~ /^ENV \w+ ok/mg), 5, 'settling is tried again');
unlike($list, qr/BODY/, 'and ends well');
done_testing();
