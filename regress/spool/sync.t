#!/usr/bin/perl
# sync under load: whatever was taken or changed before it is exact in files
# when it answers, and it answers while mail goes on coming. And mail that comes
# before the tree has been read never waits for that.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Spoolkit;

my $build = $ENV{BUILD} || 'build';
# What is asked is which files there are, not how fast the disk is.
my $dir = tempdir(CLEANUP => 1, -w '/dev/shm' ? (DIR => '/dev/shm') : ());
$ENV{SEGMENT} = 1048576;

for my $settle (0, 60000) {
	local $ENV{SETTLE} = $settle;
	my $out = qx($build/spool/qsync $dir/load$settle load 3000);
	my @synced = $out =~ /^(SYNCED .*)$/mg;
	my $late = grep { /ms=(\d+)/ && $1 > 60000 } @synced;
	cmp_ok scalar @synced, '>=', 3, "settling after $settle ms: syncs";
	is scalar(grep { !/status=0 / } @synced), 0, 'all succeed';
	is scalar(grep { !/wrong=0 / } @synced), 0, 'every file is exact'
	    or diag $out;
	is $late, 0, 'none of them starves' or diag $out;
	like $out, qr/^STATS commits=3000 /m, 'all mail is taken meanwhile';
}

# A ring far too small for the changes that come at once: what gives room must
# not wait behind what needs it.
{
	local $ENV{SEGMENT} = 65536;
	local $ENV{SETTLE} = 0;
	my $out = qx($build/spool/qsync $dir/small load 3000);
	my @synced = $out =~ /^(SYNCED .*)$/mg;
	cmp_ok scalar @synced, '>=', 3, 'a small ring: syncs';
	is scalar(grep { !/status=0 .* wrong=0 / } @synced), 0,
	    'all succeed, every file is exact'
	    or diag $out;
	like $out, qr/^STATS commits=3000 /m, 'it does not lock up';
	local $ENV{CHANGES} = 6;
	$out = qx($build/spool/qsync $dir/often load 1500);
	@synced = $out =~ /^(SYNCED .*)$/mg;
	is scalar(grep { !/status=0 .* wrong=0 / } @synced), 0,
	    'six changes of one envelope at once'
	    or diag $out;
	like $out, qr/^STATS commits=1500 /m, 'it does not lock up';
}

# Twelve times what the journal holds, and nobody walks the tree. A checkpoint
# that takes its time on a ring so small turns a few away, who come again.
$ENV{SEGMENT} = 65536;
my $out = qx($build/spool/qsync $dir/early early 1000);
like $out, qr/^EARLY taken=1000 refused=\d+$/m,
    'mail is taken before the tree is read';
like $out, qr/^LOADED n=0$/m, 'it is no news then';
$out = qx($build/spool/qsync $dir/early early 500);
like $out, qr/^EARLY taken=500 refused=\d+$/m, 'and once more';
like $out, qr/^LOADED n=1000$/m, 'what was there is known after it';
like $out, qr/^STATS commits=500 messages=1500 /m, 'and what has come';

# The daemon: a copy of the tree alone, without the journal, is complete.
my $d = Spoolkit->start(options => ['-P', 'mta'], conf => <<'END');
accept from any for any relay via "smtp://127.0.0.1:9"
END
my $to = 0;
for (1 .. 20) {
	$to++ if $d->send('a@shop.example', "r$_\@far.test",
	    "Subject: $_\n\nhello\n") =~ /^250 /;
}
is $to, 20, 'the daemon has mail';
is +($d->ctl('pause', 'envelope', 'all'))[0], 0, 'a verb for all';
is +($d->ctl('sync'))[0], 0, 'sync';
system("cd " . $d->dir . "/spool && mkdir $dir/copy && " .
    "cp -r --preserve=mode VERSION queue $dir/copy/") == 0 or die;
$out = qx(RESERVE=0 $build/spool/qdrive $dir/copy list 2>/dev/null);
is scalar(() = $out =~ /^ENV \S+ ok /mg), 20, 'the copy has all of it'
    or diag $out;
is scalar(grep { Spoolkit::slurp($_) =~ /^state: held$/m }
    grep { m{/[0-9a-f]{16}$} } glob "$dir/copy/queue/*/*"), 20,
    'as the verb left it';
done_testing();
