#!/usr/bin/perl
# Other stored forms for what is in the queue, killed at random and run again:
# everything is readable throughout, and back in the clear it is what it was.
# KILLS=n for more; the seed is printed.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use Spoolkit::Ring;
use Test::More;
use Time::HiRes qw(sleep time);

my $build = $ENV{BUILD} || 'build';
my $kills = $ENV{KILLS} || 4;
my $messages = $ENV{MESSAGES} || 120;
my $seed = $ENV{SEED} || time;
srand($seed);
diag("seed $seed");
my $dir = tempdir(CLEANUP => 1);
my $spool = "$dir/spool";
my $maker = Spoolkit::Ring->new;
my ($kid, $other) = ('key-of-this-year', 'key-of-last-year');
my $exit;

sub spew {
	my ($name, $text, $mode) = @_;
	unlink($name);
	open(my $f, '>:raw', $name) or die "$name: $!";
	print $f $text;
	close($f);
	chmod($mode // 0600, $name);
	return $name;
}

sub slurp {
	open(my $f, '<:raw', $_[0]) or die "$_[0]: $!";
	local $/;
	return scalar(<$f>) // '';
}

my $ring = spew("$dir/ring", $maker->line(active => $kid)
    . $maker->line(readable => $other), 0400);

sub qtool {
	my (@words) = @_;
	my $out = `$build/qtool -d $spool @words 2>&1`;
	$exit = $? >> 8;
	return $out;
}

sub files { return grep { -f } glob("$spool/queue/*/*") }

sub sum {
	return { map { $_ => sha256_hex(slurp($_)) } files() };
}

sub fill {
	system("$build/bench/fill", '--dir', $spool, '--messages', @_) == 0
	    or die 'fill';
}

# To the form until it gets through, killed a few times; the runs it took.
sub through {
	my ($name, $level, @words) = @_;
	my ($runs, $killed, $bad, $life) = (0, 0, 0, 0.03);
	for (;;) {
		my $pid = fork // die;
		if (!$pid) {
			open(STDOUT, '>', "$dir/out");
			open(STDERR, '>&', \*STDOUT);
			exec("$build/qtool", '-d', $spool, '--keyring', $ring,
			    'convert', @words);
		}
		my $end = time + ($killed < $kills ? rand($life) : 60);
		my $gone;
		$runs++;
		sleep(0.002) until time > $end ||
		    ($gone = waitpid($pid, WNOHANG) == $pid);
		if ($gone) {
			is($?, 0, "$name gets through") or diag(slurp("$dir/out"));
			last;
		}
		kill('KILL', $pid);
		waitpid($pid, 0);
		$killed++;
		$life *= 1.5;
		my $out = qtool("--keyring $ring verify --level $level");
		next if $exit == 0;
		$bad++;
		diag($out =~ /\A((?:.*\n){1,5})/);
	}
	is($bad, 0, "$name: readable after each of $killed kills");
	is(scalar(() = glob("$spool/incoming/*")), 0,
	    "$name: no temporary is left");
	return $runs;
}

fill($messages, '--size', 3000);
my $plain = sum();
is(scalar(keys %$plain), 2 * $messages, 'messages and envelopes in files');
my $marker = 'Received: by a bench';
is((() = `grep -rl '$marker' $spool/queue`), $messages, 'in the clear');

through('zstd', 'deep', '--comp', 'zstd');
is(scalar(grep { !/codec=zstd / } map { slurp($_) =~ /(codec=.{16})/ }
    files()), 0, 'all are compressed');
through('sealed', 'parse', '--enc', 'aes-256-gcm');
is(`grep -rlE '$marker|recipient:' $spool`, '', 'nothing is in the clear');
is(scalar(grep { !/codec=zstd\+aes-256-gcm/ } map {
    slurp($_) =~ /(codec=.{16})/ } files()), 0, 'compressed they stayed');
qtool("--keyring $ring verify");
is($exit, 0, 'all opens');
like(qtool("--keyring $ring convert --enc aes-256-gcm"),
    qr/messages=0 texts=0 already=@{[2 * $messages]} /, 'again: nothing to do');
through('plain', 'deep', '--enc', 'none', '--comp', 'none');
is_deeply(sum(), $plain, 'octet by octet as it was');

note('some of it');
my ($one) = map { m,/(\w{12})$, } files();
like(qtool("convert --comp zstd:9 $one"), qr/messages=1 texts=0 already=0 /,
    'one message');
like(qtool("convert --comp zstd 'rcpt = nobody'"), qr/messages=0 texts=0 /,
    'a selector that matches nothing');
my $begun = time;
like(qtool('--keyring', $ring, "convert --enc aes-256-gcm:$other --rate 200/s"),
    qr/messages=$messages texts=$messages/, 'by a key that is named');
cmp_ok(time - $begun, '>', 2 * $messages / 200 * 0.9, 'no faster than asked for');

note('what cannot be');
qtool('convert');
is($exit, 64, 'no form');
qtool('convert --comp lz4');
is($exit, 64, 'no such form');
qtool('convert --comp zstd:20');
is($exit, 64, 'no such level');
qtool('convert --enc aes-256-gcm');
is($exit, 78, 'no key ring');
qtool("--keyring $ring convert --enc aes-256-gcm:no-such-key-here");
is($exit, 78, 'no such key');
like(qtool('convert --enc none'), qr/key-of-last-year/, 'it names the key');
is($exit, 2, 'without it all is left');
my ($victim) = grep { m,/\w{12}$, } files();
my $text = slurp($victim);
spew($victim, $text ^ ("\0" x 600 . "\1"));
like(qtool("--keyring $ring convert --enc none"), qr/a tag does not fit/,
    'a damaged one is named');
is($exit, 2, 'and left');
is(slurp($victim), $text ^ ("\0" x 600 . "\1"), 'as it is');

note('the journal first');
$spool = "$dir/journaled";
system("SEGMENT=65536 RESERVE=1 $build/spool/qdrive $spool crash put 5 300 2 1 "
    . '>/dev/null');
like(qtool('convert --comp zstd'), qr/settling the journal.*messages=5 /s,
    'what stands in the journal becomes files before');
is($exit, 0, 'and then is rewritten');
is(scalar(() = `SEGMENT=65536 RESERVE=1 $build/spool/qdrive $spool check 300`
    =~ /^ENV \w{16} ok/mg), 10, 'all are there');

note('the lock');
my $pid = open(my $drive, '-|',
    "SEGMENT=65536 REST=20000 exec $build/spool/qdrive $spool list");
1 while defined($_ = <$drive>) && !/LOADED/;
like(qtool('convert --comp none'), qr/EX_TEMPFAIL: .*pid $pid/,
    'says whose it is');
is($exit, 75, 'and refuses');
kill('KILL', $pid);
close($drive);
done_testing();
