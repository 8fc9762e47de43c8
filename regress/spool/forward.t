#!/usr/bin/perl
# A bucket that cannot be written, while three times the journal's size of other
# mail goes through: nobody is refused for it, a crash loses nothing, and its
# mail is settled as soon as the bucket is back.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $drive = ($ENV{BUILD} || 'build') . '/spool/qdrive';
my $dir = tempdir(CLEANUP => 1);
my $spool = "$dir/spool";
my @broken = map { "$spool/queue/0$_" } 0 .. 5;
$ENV{SEGMENT} = 262144;
$ENV{SEGMENTS} = 8;
$ENV{SETTLE} = 1;
$ENV{PATIENCE} = 30000;
my %acked;

sub drive {
	my (@args) = @_;
	my $out = `$drive $spool @args 2>$dir/err`;
	is($?, 0, "qdrive @args");
	return $out;
}

sub put {
	my ($large) = @_;
	local $ENV{LARGE} = $large;
	my $out = drive('crash', 'put', 1800, 3000, 2, 2);
	my @acks = $out =~ /^ACK (\w+)/mg;
	$acked{$_} = 1 for @acks;
	is(scalar(@acks), 3600, 'all are taken, three times the ring');
	open(my $err, '<', "$dir/err") or die;
	my (%said, $twice);
	while (<$err>) {
		next unless /event=bucket-unavailable bucket=(\S+)/;
		$twice++ if $said{$1}++;
	}
	cmp_ok(scalar(keys %said), '>', 3, 'some cannot be settled');
	is($twice, undef, 'which is said once for each bucket');
}

sub loaded {
	my ($out) = @_;
	my @here = $out =~ /^ENV (\w+) ok/mg;
	my %here = map { $_ => 1 } @here;
	is(scalar(@here), scalar(keys %here), 'each is there once');
	my @missing = grep { !$here{$_} } keys %acked;
	is(scalar(@missing), 0, 'none is missing') or diag("@missing[0 .. 2]");
	is(scalar(grep { !$acked{$_} } @here), 0, 'and none is too much');
}

drive('list');
for my $bucket (@broken) {
	rmdir $bucket or die "$bucket: $!";
	open(my $f, '>', $bucket) or die "$bucket: $!";
}
note('through the journal, then a crash');
put(0);
note('what a start found is moved on as well; now large ones too');
put(2000);
note('deferred, and then a crash: the newest text counts');
drive('crash', 'defer');
loaded(drive('list'));
for my $bucket (@broken) {
	unlink $bucket;
	mkdir $bucket, 0700 or die "$bucket: $!";
}
note('the buckets are back');
my $out = drive('check', 3000);
loaded($out);
unlike($out, qr/BODY/, 'with their bodies');
unlike(drive('list'), qr/alarm=\S/, 'all is in files');
my $files = () = map { glob("$_/*") } @broken;
cmp_ok($files, '>', 30, 'these too');
drive('drain');
# A stop takes four seconds at most; on a busy disk the next start goes on.
my @left;
for (1 .. 10) {
	@left = glob("$spool/queue/*/* $spool/incoming/*") or last;
	drive('list');
}
is(scalar(@left), 0, 'and the tree is empty at the end');
done_testing();
