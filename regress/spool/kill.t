#!/usr/bin/perl
# kill -9 at random under load: nothing that was acknowledged is missing, none
# is torn, each is there once. KILLS=n for more; the seed is printed.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

my $drive = ($ENV{BUILD} || 'build') . '/spool/qdrive';
my $kills = $ENV{KILLS} || 50;
my $seed = $ENV{SEED} || time;
srand($seed);
diag("seed $seed");
my $dir = tempdir(CLEANUP => 1);

# Each spool lives through its share of the kills with its own options.
my @env = ('SEGMENT=65536 SEGMENTS=8', 'SEGMENT=1048576 SETTLE=50',
    'SEGMENT=262144 SETTLE=200 LARGE=3000 SYNC=1');

# What is kept of a write to the journal that the kill interrupted.
my $torn = qr{corrupt/journal-[0-9a-f]{16}-[0-9a-f]{8}\b};

my (%must, %maybe);
my ($missing, $twice, $odd, $damaged, $acks) = (0, 0, 0, 0, 0);

# Takes a run's lines into account; true when it had finished loading.
sub account {
	my ($log) = @_;
	my (%here, $loaded, %acked);
	open(my $in, '<', $log) or die "$log: $!";
	while (my $line = <$in>) {
		last if $line !~ /\n\z/;
		if ($line =~ /^ENV (\w{16}) (\w+)/) {
			$twice++ if $here{$1}++;
			$damaged++ if $2 ne 'ok';
		} elsif ($line =~ /^LOADED/) {
			$loaded = 1;
			for my $id (keys %must) {
				next if $here{$id};
				$missing++;
				diag("missing: $id");
				delete $must{$id};
			}
			# What was not there any more stays away.
			%maybe = map { $_ => 1 } grep { $here{$_} } keys %maybe;
			for my $id (keys %here) {
				# In flight at the kill: taken, never answered.
				$must{$id} = 1 unless $maybe{$id};
			}
		} elsif ($line =~ /^ACK (\w{16})/) {
			$must{$1} = 1;
			$acks++;
		} elsif ($line =~ /^DONE (\w{16})/) {
			delete $must{$1};
			$maybe{$1} = 1;
		} elsif ($line =~ /^ANOMALY $torn/) {
			# The kill cut a write short: nobody was answered.
			next;
		} elsif ($line =~ /^(ANOMALY|BODY|REFUSED).*/) {
			$odd++;
			diag($line);
		}
	}
	close($in);
	return $loaded;
}

my $loads = 0;
for my $round (0 .. $#env) {
my $env = $env[$round];
my $spool = "$dir/spool$round";
%must = %maybe = ();
  for my $n (1 .. $kills / @env + 1) {
	my $size = 4096;
	# Not by the shell, which may be killed before it gets there: the lines
	# of the run before would be taken for those of this one.
	open(my $log, '>', "$dir/log") or die "$dir/log: $!";
	close($log);
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		exec("exec env $env $drive $spool storm $size 20 >$dir/log 2>$dir/err")
		    or die "exec: $!";
	}
	# From before loading has ended to well after settling began.
	sleep(0.005 + rand(rand() < 0.2 ? 0.03 : 0.35));
	kill('KILL', $pid);
	waitpid($pid, 0);
	if (($? & 127) != 9) {
		is($? & 127, 9, "run $n: killed, not dead before: $?");
		diag(qx{tail -3 $dir/err});
	}
	$loads++ if account("$dir/log");
}
system("env $env $drive $spool check 4096 >$dir/log 2>$dir/err");
is($?, 0, 'the last start ends well');
ok(account("$dir/log"), 'and loads');
open(my $err, '<', "$dir/err");
my @warned = grep { !/event=checkpoint|event=anomaly file=$torn/ } <$err>;
is("@warned", '', 'nothing to warn of');
system("env $env $drive $spool drain >$dir/log 2>$dir/err");
is($?, 0, 'all of it is ended');
my @left = grep { -f && !/$torn/ }
    glob("$spool/queue/*/* $spool/incoming/* $spool/corrupt/*");
is(scalar(@left), 0, 'and the tree is empty') or diag("@left[0 .. 3]");
}
cmp_ok($acks, '>', $kills, "acknowledged: $acks");
cmp_ok($loads, '>', $kills / 10, "starts that loaded: $loads");
is($missing, 0, 'nothing acknowledged is missing');
is($twice, 0, 'each envelope is there once');
is($damaged, 0, 'none is torn');
is($odd, 0, 'no anomaly, no strange body, nothing refused');
done_testing();
