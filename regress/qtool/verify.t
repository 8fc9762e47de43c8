#!/usr/bin/perl
# The corpus of broken spools: what verify says of each, what repair would do,
# what it does, and that all is well then. GOLDEN=1 writes the .ok files anew.
use strict;
use warnings;
use Broken qw(unpack_spool tree envelope message slurp spew file_of);
use File::Find;
use File::Temp qw(tempdir);
use Digest::SHA qw(sha256_hex);
use Test::More;

my $build = $ENV{BUILD} || 'build';
my $here = 'regress/qtool/broken';
my $dir = tempdir(CLEANUP => 1);
my ($spool, $exit, $n) = ('', 0, 0);
umask(077);
spew("$dir/ring", slurp("$here/ring"), 0400);
spew("$dir/conf", <<'END');
hostname mail.test.example
listen on 127.0.0.1 port 24001
action "relay-1" relay
accept from any for any action "relay-1"
END

sub qtool {
	my (@words) = @_;
	my $out = `$build/qtool -d $spool @words 2>&1`;
	$exit = $? >> 8;
	$out =~ s/^.* read in .*\n//mg;
	$out =~ s/"(host|elapsed_ms|read_bytes)":("[^"]*"|\d+),?//g;
	$out =~ s/,\}/}/g;
	return $out;
}

sub golden {
	my ($name, $got) = @_;
	my $file = "$here/$name";
	spew($file, $got, 0644) if $ENV{GOLDEN};
	is($got, -e $file ? slurp($file) : '', $name);
}

# Names, modes and octets of everything, but the lock.
sub tree_sum {
	my @all;
	find({ no_chdir => 1, wanted => sub {
		return if m,/LOCK$,;
		my @st = lstat($_);
		push(@all, join(' ', $_, $st[2], $st[3], -l _ || -p _ || -d _
		    ? '' : sha256_hex(slurp($_))));
	} }, $spool);
	return sha256_hex(join("\n", sort @all));
}

for my $class (map { sprintf('Q%02d', $_) } 1 .. 14) {
	$spool = "$dir/" . $n++;
	mkdir($spool);
	unpack_spool(slurp("$here/$class.spool"), $spool);
	my $conf = $class eq 'Q13' ? "-c $dir/conf" : '';
	my @with = ("--keyring $dir/ring", $conf);
	my $before = tree_sum();
	my $said = qtool(@with, 'verify');
	is($exit, 1, "$class: verify finds problems");
	like($said, qr/^$class /m, "$class: of that class");
	is(join(' ', grep { !/$class/ } $said =~ /^(Q\d\d) /mg), '',
	    "$class: and of no other");
	golden("$class.verify.ok", $said);
	golden("$class.verify.json.ok", qtool(@with, '-j verify'));
	golden("$class.repair.ok", qtool(@with, 'repair'));
	golden("$class.repair.json.ok", qtool(@with, '-j repair'));
	is(tree_sum(), $before, "$class: nothing was changed yet");
	golden("$class.mended.ok", qtool(@with, 'repair --yes'));
	if ($class eq 'Q04') {
		is($exit, 78, "$class: a key is missing, repair stops");
		is(tree_sum(), $before, "$class: and changes nothing");
		next;
	}
	if ($class eq 'Q13') {
		is($exit, 2, "$class: left to a person");
		is(tree_sum(), $before, "$class: and changes nothing");
		next;
	}
	is($exit, 0, "$class: repair mends all");
	$said = qtool(@with, 'verify');
	is($exit, 0, "$class: verify is content then") or diag($said);
	$before = tree_sum();
	is(qtool(@with, 'repair --yes'), "nothing to mend\n",
	    "$class: a second run finds nothing");
	is(tree_sum(), $before, "$class: and changes nothing");
	next if $class eq 'Q03'; # sealed
	$said = `SEGMENT=65536 RESERVE=1 $build/spool/qdrive $spool list`;
	unlike($said, qr/ANOMALY (?!\S+\.new)|damaged|unavailable/,
	    "$class: the library takes all");
	like($said, qr/^ENV \w{16} ok/m, "$class: and has envelopes");
}

note('other levels, narrowed');
sub fresh {
	my ($class) = @_;
	$spool = "$dir/" . $n++;
	mkdir($spool);
	unpack_spool(slurp("$here/$class.spool"), $spool);
}
fresh('Q02');
like(qtool('verify --level names'), qr/: 0 problems/, 'names opens nothing');
is($exit, 0, 'and finds nothing');
like(qtool('verify --level parse'), qr/^Q02 .*0001 .*\n.*: cut short$/m,
    'parse reads heads and envelopes');
like(qtool('verify 0a0a0a0a0a0a'), qr/^1 messages.*: 0 problems/m, 'one id');
like(qtool("verify $spool/queue/2c/2c2c2c2c2c2c"), qr/: 1 problem$/m,
    'one file');
qtool('verify fish');
is($exit, 64, 'no id and no file');
like(qtool('verify --since 2026-01-01T00:00:00Z'), qr/: 2 problems/m,
    'since: all are newer');
like(qtool('verify --since 2091-01-01T00:00:00Z'), qr/: 0 problems/m,
    'since: none is');
qtool("verify --report $dir/report");
is(scalar(() = slurp("$dir/report") =~ /"type":"problem"/g), 2,
    'a report in a file');
like(qtool('repair --fix Q01'), qr/^nothing to mend/, 'only that class');
like(qtool('repair --fix truncated'), qr/^2 would be/m, 'a class by name');
qtool('repair --fix Q15');
is($exit, 64, 'no such class');

note('elsewhere than corrupt');
like(qtool("repair --yes --quarantine $dir/aside"), qr/set aside to \Q$dir/,
    'a directory of the operator');
is(join(' ', sort map { s,.*/,,r } glob("$dir/aside/*")),
    '2c2c2c2c2c2c 2c2c2c2c2c2c.why 2c2c2c2c2c2c0001 2c2c2c2c2c2c0001.why',
    'what was set aside is there');
like(slurp("$dir/aside/2c2c2c2c2c2c.why"), qr/Q02 cut short$/,
    'with its reason');

note('adopted');
fresh('Q05');
like(qtool('repair --yes --adopt'), qr/adopt 1 envelope, held/, 'adopt');
my $text = slurp("$spool/" . file_of('1b1b1b1b1b1b0001'));
like($text, qr/^state: held$/m, 'held');
like($text, qr/^hold: by=uid:\d+ since=.* reason=/m, 'with a reason');
qtool('verify');
is($exit, 0, 'and whole');

note('the lock');
fresh('Q07');
my $pid = open(my $drive, '-|', "SEGMENT=65536 REST=20000 exec "
    . "$build/spool/qdrive $spool list");
1 while defined($_ = <$drive>) && !/LOADED/;
like(qtool('repair --yes'), qr/EX_TEMPFAIL: .*pid $pid/, "says whose it is");
is($exit, 75, 'and refuses');
qtool('verify');
is($exit, 1, 'verify takes no lock');
kill('KILL', $pid);
close($drive);
qtool('repair --yes');
is($exit, 0, 'then it is free');

note('the journal lies over the files');
$spool = "$dir/" . $n++;
system("SEGMENT=65536 RESERVE=1 $build/spool/qdrive $spool crash put 3 200 2 "
    . '1 >/dev/null');
for my $id (`SEGMENT=65536 $build/qtool -d $spool list` =~ /^(\w{16}) /mg) {
	my $msg = substr($id, 0, 12);
	spew("$spool/" . file_of($id), '');
	spew("$spool/" . file_of($msg), 'spoolkit-mess');
}
$text = qtool('verify');
is($exit, 0, 'torn files are no problem then') or diag($text);
like($text, qr/3 messages, 6 envelopes, [1-9]\d* covered by the journal/,
    'and it says so');
is(qtool('repair --yes'), "nothing to mend\n", 'nor does repair touch them');

done_testing();
