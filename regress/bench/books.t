#!/usr/bin/env perl
# The load generator and the sink agree on every recipient, whatever breaks in
# between, and the tally sees each kind of disagreement.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $bench = ($ENV{BUILD} // 'build') . '/bench';
my $dir = tempdir(CLEANUP => 1);

sub slurp {
	my ($path) = @_;
	open my $f, '<', $path or die "$path: $!";
	local $/;
	return scalar <$f>;
}

sub spew {
	my ($path, $text) = @_;
	open my $f, '>', $path or die "$path: $!";
	print $f $text;
	close $f;
}

# Runs one load against one sink; returns what each of them printed.
sub round {
	my ($flood, $sink) = @_;
	unlink "$dir/acks", "$dir/ids";
	my $pid = open my $out, '-|', "$bench/sink", '--port', 0, '--ids',
	    "$dir/ids", @$sink;
	my ($port) = <$out> =~ /port (\d+)/ or die 'no port';
	my $said = qx($bench/flood --port $port --acks $dir/acks --json @$flood);
	kill 'TERM', $pid;
	my $totals = join '', <$out>;
	close $out;
	return ($said, $totals);
}

sub tally {
	my $said = qx(bench/tally $dir/acks -- $dir/ids);
	return ($? >> 8, $said);
}

my ($said, $totals, $rc);

($said, $totals) = round([qw(--messages 200 --sessions 10)], []);
like $said, qr/"acked":200,"refused":0,"unsure":0/, 'all are acknowledged';
like $totals, qr/^recipients +200$/m, 'and have arrived';
($rc, $said) = tally();
is $rc, 0, 'the books agree';
like $said, qr/acked 200,.* duplicates 0, phantom 0, damaged 0, lost 0/,
    'nothing lost, doubled, invented or damaged';

my $ids = slurp("$dir/ids");
my ($first) = $ids =~ /^(.*\n)/;
for my $case (
	['lost', 1, substr($ids, length $first)],
	['duplicates', 0, $ids . $first],
	['damaged', 1, $ids =~ s/whole/damaged/r],
	['phantom', 1, $ids . "other/1 someone\@sink.invalid whole\n"],
    ) {
	my ($what, $want, $text) = @$case;
	spew("$dir/ids", $text);
	($rc, $said) = tally();
	is $rc, $want, "exit status for $what";
	like $said, qr/\b$what 1\b/, "$what is counted";
}

for my $mode ([], ['--pipelining']) {
	my $name = "@$mode" || 'without pipelining';

	($said) = round([qw(--messages 300 --sessions 20 --recipients 3
		--size 20K --cut 30), @$mode], []);
	like $said, qr/"messages":300,/, "$name: cut-offs end no session";
	like $said, qr/"cuts":[1-9]/, "$name: some were cut off";
	($rc, $said) = tally();
	is $rc, 0, "$name: no half message was taken" or diag $said;

	($said) = round([qw(--messages 300 --sessions 20 --recipients 3
		--per-session 5 --reconnect), @$mode],
	    [qw(--reject-rcpt 10 --tempfail 10 --tempfail-data 10 --drop 10
		--delay 1)]);
	like $said, qr/"550":[1-9]/, "$name: refusals are counted by code";
	like $said, qr/"unsure":[1-9]/, "$name: lost answers are unsure";
	($rc, $said) = tally();
	is $rc, 0, "$name: a failing sink and flood agree" or diag $said;
}

($said, $totals) = round([qw(--messages 3 --to), 'bad%n@sink.invalid'],
    ['--rcpt', 'bad1@*=550']);
like $said, qr/"acked":2,"refused":1/, 'a reply by pattern';

done_testing();
