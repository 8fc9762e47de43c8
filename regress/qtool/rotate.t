#!/usr/bin/perl
# A rotation of keys that is killed again and again and taken up: everything
# opens throughout, no body is rewritten, and the old key opens nothing then.
# MESSAGES=n and KILLS=n for more (bench/rotate); the seed is printed.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use Extents qw(extents);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use Spoolkit::Ring;
use Test::More;
use Time::HiRes qw(sleep time);

my $build = $ENV{BUILD} || 'build';
my $messages = $ENV{MESSAGES} || 800;
my $kills = $ENV{KILLS} || 5;
my $seed = $ENV{SEED} || time;
srand($seed);
diag("seed $seed");
my $dir = tempdir('rotate.XXXXXX', DIR => $ENV{WHERE} || '/tmp',
    CLEANUP => 1);
my $spool = "$dir/spool";
my ($old, $new) = ('key-of-last-year', 'key-of-this-year');
my $maker = Spoolkit::Ring->new;

# A ring of our own: Spoolkit::Ring's files are the daemon's.
sub ring {
	my ($name, @keys) = @_;
	unlink("$dir/$name");
	open(my $f, '>', "$dir/$name") or die;
	while (my ($state, $kid) = splice(@keys, 0, 2)) {
		print $f $maker->line($state, $kid);
	}
	close($f);
	chmod(0400, "$dir/$name");
	return "$dir/$name";
}

sub qtool {
	my ($ring, @words) = @_;
	my $out = `$build/qtool -d $spool --keyring $ring @words 2>&1`;
	return ($? >> 8, $out);
}

sub head_len { return index($_[0], "\n\n") + 2 }

# msgid => where it lies and a digest of all behind the head.
sub bodies {
	my %bodies;
	for my $path (glob("$spool/queue/*/*")) {
		next unless $path =~ m,/(\w{12})$,;
		my $id = $1;
		open(my $in, '<:raw', $path) or die "$path: $!";
		local $/;
		my $text = <$in>;
		my $at = head_len($text);
		$bodies{$id} = join(' ', $at, sha256(substr($text, $at)),
		    extents($path));
	}
	return \%bodies;
}

my $only_old = ring('old', active => $old);
my $only_new = ring('new', active => $new);
my $both = ring('both', active => $old, readable => $new);
my $begun = time;
system("$build/bench/fill", '--dir', $spool, '--messages', $messages,
    '--size', 2048, '--keyring', $only_old) == 0 or die 'fill';
diag(sprintf('%d sealed messages made in %.1f s', $messages, time - $begun));
my $before = bodies();
is(scalar(keys %$before), $messages, "$messages messages in files");
my ($exit, $out) = qtool($only_old, 'verify');
is($exit, 0, 'all open by the old key') or diag($out);
($exit, $out) = qtool($only_new, 'verify --level parse');
is(scalar(() = $out =~ /^Q04 queue/mg), 2 * $messages, 'none by the new one');
is(scalar(() = $out =~ /^Q(?!04)/mg), 0, 'which is no damage');

# How long it takes when nobody disturbs it.
my $undisturbed = time;
($exit, $out) = qtool($both, "-j key rotate --to $new");
is($exit, 0, 'a rotation') or diag($out);
$undisturbed = time - $undisturbed;
diag(sprintf('undisturbed: %d messages and %d texts in %.1f s', $1, $2,
    $3 / 1000))
    if $out =~ /"messages":(\d+),"texts":(\d+).*"elapsed_ms":(\d+)/;
($old, $new) = ($new, $old);

my ($killed, $runs, $bad, $mixed, $busy) = (0, 0, 0, 0, 0);
# More than asked for when none of them was in the midst of the work.
while ($killed < $kills || (!$mixed && $killed < 6 * $kills)) {
	my $pid = fork // die;
	if (!$pid) {
		open(STDOUT, '>', "$dir/out");
		open(STDERR, '>&', \*STDOUT);
		exec("$build/qtool", '-d', $spool, '--keyring', $both, 'key',
		    'rotate', '--to', $new);
	}
	my $began = time;
	$runs++;
	my $end = $began + rand($undisturbed * 0.7);
	my $gone = 0;
	while (time < $end && !$gone) {
		$gone = waitpid($pid, WNOHANG) == $pid;
		sleep(0.002);
	}
	if ($gone) {
		last if $? != 0;
		# Back again, so that there is something to kill.
		($old, $new) = ($new, $old);
		next;
	}
	kill('KILL', $pid);
	waitpid($pid, 0);
	$killed++;
	# The ring says who is active; all opens with both, at every level now and
	# then, at the level of keys always.
	my $level = $messages <= 1000 || $killed % 5 == 0 ? 'deep' : 'parse';
	($exit, $out) = qtool($both, "verify --level $level");
	if ($exit != 0) {
		$bad++;
		diag($out =~ /\A((?:.*\n){1,5})/);
	}
	diag(sprintf('kill %d after %.1f s of run %d', $killed, $end - $began,
	    $runs)) if $messages > 1000;
	my %count;
	($exit, $out) = qtool($both, '-j key list');
	$count{$1} = $2
	    while $out =~ /"kid":"([^"]+)".*?"messages":(\d+)/g;
	$mixed++ if ($count{$old} || 0) > 0 && ($count{$new} || 0) > 0;
}
cmp_ok($killed, '>=', $kills, "$killed kills in $runs runs");
is($bad, 0, 'everything opened after each');
cmp_ok($mixed, '>', 0, "$mixed of them left both keys in use");

# Beside a rotation, as long as it goes: a reader takes no lock.
my $pid = fork // die;
if (!$pid) {
	open(STDOUT, '>', "$dir/out");
	open(STDERR, '>&', \*STDOUT);
	exec("$build/qtool", '-d', $spool, '--keyring', $both, '-j', 'key',
	    'rotate', '--to', $new, '--resume');
}
my $reads = 0;
$begun = time;
my $ended = 0;
while (!$ended) {
	($exit, $out) = qtool($both, 'verify --level parse');
	$reads++;
	$busy++ if $exit != 0;
	diag($out =~ /\A((?:.*\n){1,5})/) if $exit != 0;
	$ended = waitpid($pid, WNOHANG) == $pid;
}
is($?, 0, 'the last run gets through');
is($busy, 0, "everything opens while it works ($reads looks)");
open(my $in, '<', "$dir/out") or die;
my $said = join('', <$in>);
diag(sprintf('the last run: %d files in %.1f s', $1 + $2, $3 / 1000))
    if $said =~ /"messages":(\d+),"texts":(\d+).*"elapsed_ms":(\d+)/;

my $after = bodies();
my @moved = grep { ($after->{$_} // '') ne $before->{$_} } keys %$before;
is(scalar(@moved), 0, 'same inodes, extents and octets behind every head')
    or diag("$moved[0]: $before->{$moved[0]} $after->{$moved[0]}");
is(scalar(keys %$after), $messages, 'and no others');
my $ring_new = $new eq 'key-of-this-year' ? $only_new : $only_old;
my $ring_old = $new eq 'key-of-this-year' ? $only_old : $only_new;
($exit, $out) = qtool($ring_new, 'verify');
is($exit, 0, 'all open by the new key alone') or diag(substr($out, 0, 400));
is(scalar(() = glob("$spool/incoming/*")), 0, 'no temporary is left');

is((qtool($both, "key retire $new"))[0], 3, 'the new key is not retired');
($exit, $out) = qtool($both, "key retire $old");
is($exit, 0, 'the old one is') or diag($out);
like((qtool($both, 'key list'))[1], qr/^$old +retired +\S+ +0 +0 +0 /m,
    'nothing needs it');
($exit, $out) = qtool($ring_old, 'verify --level parse');
is(scalar(() = $out =~ /^Q04 queue/mg), 2 * $messages, 'it opens nothing');
($exit, $out) = qtool($ring_old, 'key test');
is($exit, 78, 'which key test says too');

done_testing();
