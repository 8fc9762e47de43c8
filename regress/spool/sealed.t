#!/usr/bin/env perl
# Every stored form: killed and recovered, settled and read; another ring, no
# ring, and the right one again: nothing is lost and nothing taken for damage.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

# On a disk most of the time would go into flushes.
my $dir = tempdir(CLEANUP => 1, -w '/dev/shm' ? (DIR => '/dev/shm')
    : (TMPDIR => 1));
my $qdrive = "$ENV{BUILD}/spool/qdrive";
my ($one, $two) = ('first-key-000001', 'second-key-00002');

sub drive {
	my ($env, @words) = @_;
	local %ENV = (%ENV, REST => 0, SEGMENT => 1 << 20, %$env);
	open(my $p, '-|', "exec $qdrive @words 2>>$dir/log") or die;
	my @lines = <$p>;
	close($p);
	return @lines;
}

sub ring {
	my ($name, @lines) = @_;
	open(my $f, '>', "$dir/$name") or die;
	print $f @lines;
	close($f);
	chmod 0400, "$dir/$name";
	return "$dir/$name";
}

my ($line1) = drive({}, $one, 'newkey', 'active');
my ($line2) = drive({}, $two, 'newkey', 'active');
(my $readable1 = $line1) =~ s/ active / readable /;
my $first = ring('first', $line1);
my $second = ring('second', $line2);
my $both = ring('both', $readable1, $line2);
# The same name, another secret.
my ($again) = drive({}, $one, 'newkey', 'active');
my $impostor = ring('impostor', $again);

sub found {
	my ($pattern, @lines) = @_;
	my @ids = sort map { $_ =~ $pattern ? $1 : () } @lines;
	return @ids;
}
sub ids { return found(qr/^ENV (\S+) ok/, @_) }
sub acked { return found(qr/^ACK (\S+)/, @_) }
sub odd { return grep { /^(?:BODY|ANOMALY|LOCKED)|^ENV \S+ (?!ok)/ } @_ }

sub stored {
	my ($spool) = @_;
	my $all = '';
	local $/;
	for my $path (glob("$spool/queue/*/* $spool/journal/* "
		. "$spool/incoming/* $spool/state/* $spool/corrupt/*")) {
		open(my $f, '<', $path) or next;
		$all .= <$f> // '';
	}
	return $all;
}

my %forms = (
	plain => {},
	zstd => { ZSTD => 1 },
	sealed => { SEAL => 1 },
	both => { SEAL => 1, ZSTD => 3 },
);
for my $form (sort keys %forms) {
	for my $size (0, 5000, 300000, 1500000) {
		my %env = (%{$forms{$form}}, KEYS => $first);
		my $spool = "$dir/$form-$size";
		my @acked = acked(drive(\%env, $spool, 'crash', 'put', 3,
			$size, 2));
		is(scalar(@acked), 6, "$form, $size octets: taken");
		# Read from the journal or from incoming/.
		my @out = drive(\%env, $spool, 'crash', 'check', $size);
		is_deeply([ids(@out)], \@acked, 'found after a crash');
		is_deeply([odd(@out)], [], 'whole');
		drive({ %env, REST => 100, SETTLE => 1 }, $spool, 'defer');
		@out = drive(\%env, $spool, 'check', $size);
		is_deeply([ids(@out)], \@acked, 'found in files');
		is_deeply([odd(@out)], [], 'whole');
		is(scalar(grep { /generation=2/ } @out), 6, 'and changed');
		unlike(stored($spool), qr/example\.(?:org|net)/,
			'no address in the clear') if $env{SEAL};
		drive(\%env, $spool, 'drain');
		unlike(stored($spool), qr/code=250/, 'nor a reply')
		    if $env{SEAL};
	}
}

# A spool of all forms: four runs settle what they take, four leave it in the
# journal, which has room enough that none of it is settled by a later one.
my $spool = "$dir/mixed";
my @acked;
my $i = 0;
for my $settled (1, 0) {
	for my $form (sort keys %forms) {
		my %env = (%{$forms{$form}}, KEYS => $first, SEGMENTS => 16,
			SETTLE => $settled ? 1 : 100000,
			LARGE => ++$i == 3 || $i == 7 ? 500 : 0);
		push @acked, acked(drive(\%env, $spool,
			$settled ? () : 'crash', 'put', 2, 1000, 2));
		# Clear messages under envelopes that are sealed later.
		drive({ %env, %{$forms{sealed}} }, $spool, 'defer')
		    if $settled && $form eq 'plain';
	}
}
is(scalar(@acked), 32, 'a mixed queue');
for my $ring ($second, $impostor) {
	my @out = drive({ KEYS => $ring }, $spool, 'check', 1000);
	my $clear = () = ids(@out);
	my @locked = grep { /^LOCKED/ } @out;
	my @whole = grep { /^LOCKED \S+0000 / } @locked;
	# Of both forms in the journal, of one in files.
	is($clear, 12, 'without the key those in the clear are there');
	is($clear + @locked + @whole, 32,
	    'all else is locked, by envelope or by message of two');
	is(scalar(grep { /^LOCKED \S+ size=1000 arrived=[1-9]\d+ .*$one/ }
		@out), scalar(@locked), 'with size, time and key');
	is(scalar(grep { /^ANOMALY/ } @out), 0, 'none of it is an anomaly');
}
is(scalar(() = glob("$spool/corrupt/*")), 0, 'nothing was set aside');
# The ring of the journal goes round, more than once, over what is locked.
for (1 .. 4) {
	drive({ KEYS => $second, SEAL => 1, SEGMENT => 65536, QUIET => 1 },
		$spool, 'cycle', 40, 9000);
}
my @out = drive({ KEYS => $second, REKEY => $both }, $spool, 'check', 1000);
is_deeply([ids(@out)], [sort @acked], 'the key comes: all of it is there');
is(scalar(grep { /^BODY/ } @out), 0, 'and whole');
@out = drive({ KEYS => $both }, $spool, 'check', 1000);
is_deeply([ids(@out)], [sort @acked], 'and after the next start');
is_deeply([odd(@out)], [], 'whole');
@out = drive({ KEYS => $both, SEAL => 1 }, $spool, 'drain');
is(scalar(() = glob("$spool/queue/*/*")), 0, 'all of it can be delivered');

# Never without a key.
@out = drive({ SEAL => 1 }, "$dir/none", 'list');
is($?, 256, 'a sealed spool without a key does not start');
done_testing();
