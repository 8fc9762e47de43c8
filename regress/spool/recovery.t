#!/usr/bin/perl
# The states after a crash, one case per row of the table in spool(5).
use strict;
use warnings;
use File::Temp qw(tempdir);
use POSIX qw(mkfifo);
use Test::More;

my $drive = ($ENV{BUILD} || 'build') . '/spool/qdrive';
my $dir = tempdir(CLEANUP => 1);
$ENV{SEGMENT} = 1048576; # the default would be 128 MiB of zeros a case
my ($spool, $err, $count) = ('', '', 0);

sub drive {
	my (@args) = @_;
	my $env = '';
	$env .= ' ' . shift @args while @args && $args[0] =~ /=/;
	my $out = `env $env $drive $spool @args 2>$dir/err`;
	is($?, 0, "qdrive @args");
	open(my $in, '<', "$dir/err") or die;
	local $/;
	$err = <$in>;
	return $out;
}

# A fresh spool with n messages in files, nothing in the journal; their ids.
sub settled {
	my ($n, $size, $rcpts) = @_;
	$spool = "$dir/spool" . $count++;
	my $out = drive('put', $n, $size, $rcpts || 1);
	return $out =~ /^ACK (\w+)/mg;
}

# The same, in the journal alone.
sub journaled {
	my ($n, $size, $rcpts) = @_;
	$spool = "$dir/spool" . $count++;
	my $out = drive('crash', 'put', $n, $size, $rcpts || 1, 1);
	return $out =~ /^ACK (\w+)/mg;
}

sub file { return "$spool/queue/" . substr($_[0], 0, 2) . "/$_[0]" }
sub msg { return file(substr($_[0], 0, 12)) }
sub files { return grep { !-d } glob("$spool/queue/*/*") }
sub corrupt { return map { s,.*/,,r } glob("$spool/corrupt/*") }

sub slurp {
	open(my $in, '<:raw', $_[0]) or return undef;
	local $/;
	return scalar <$in>;
}

sub spew {
	my ($name, $text) = @_;
	open(my $out, '>:raw', $name) or die "$name: $!";
	print $out $text;
	close($out) or die;
	chmod(0600, $name);
}

sub listed {
	my ($out) = @_;
	return join(' ', sort($out =~ /^ENV (\w+)/mg));
}

sub flip {
	my ($name, $at) = @_;
	open(my $f, '+<:raw', $name) or die "$name: $!";
	seek($f, $at, 0);
	read($f, my $byte, 1);
	seek($f, $at, 0);
	print $f chr(ord($byte) ^ 1);
	close($f);
}

# Where the groups with a put stand in the journal, in their order.
sub groups {
	my (@at);
	for my $segment (glob("$spool/journal/*")) {
		my $data = slurp($segment);
		for (my $at = 4096; $at < length($data); $at += 4096) {
			my $block = substr($data, $at, 128);
			push(@at, [$segment, $at, $1])
			    if $block =~ /\Ag1 (\w{16}) .*\nj1 \w+ put/;
		}
	}
	return sort { $a->[2] cmp $b->[2] } @at;
}

my (@ids, $out, $text, @at);

note('put live in the journal, files missing or torn');
@ids = journaled(5, 3000, 2);
is(scalar(files()), 0, 'nothing was settled');
$out = drive('list');
is(listed($out), join(' ', sort @ids), 'all are there');
is(scalar(files()), 15, 'and settled now');
like(slurp(msg($ids[0])), qr/\Aspoolkit-message 1 id=\w{12} codec=plain/,
    'a message file');
@ids = journaled(5, 3000);
for my $id (@ids) {
	spew(msg($id), 'spoolkit-message 1 id=');
	spew(file($id), '');
}
$out = drive('check', 3000);
is(listed($out), join(' ', sort @ids), 'torn files do not matter');
unlike($out, qr/BODY|ANOMALY/, 'the bodies are right');
is(join(' ', corrupt()), '', 'what a crash tears is not kept');
$out = drive('check', 3000);
unlike($out, qr/BODY|ANOMALY/, 'the files were made whole');

note('image live in the journal, file older, torn or different');
@ids = settled(4, 100);
drive('crash', 'defer');
spew(file($ids[1]), substr(slurp(file($ids[1])), 0, 60) . 'xx');
($text = slurp(file($ids[2]))) =~ s/b\@example.net/c\@example.net/;
spew(file($ids[2]), $text);
unlink(file($ids[3]));
$out = drive('list');
is(scalar(() = $out =~ /ok size=100 generation=2/g), 4, 'the image wins');
like(slurp(file($_)), qr/^generation: 2$/m, 'and is in the file') for @ids;
is(join(' ', corrupt()),
    join(' ', sort map { ($_, "$_.why") } @ids[1, 2]), 'odd texts are kept');
like(slurp("$spool/corrupt/$ids[2].why"), qr/edited or damaged/, 'with why');

note('done live for every recipient');
@ids = settled(3, 100, 2);
drive('crash', 'drain');
$out = drive('list');
is(listed($out), '', 'finished is finished');
is(scalar(files()), 0, 'and the files are gone');
like(slurp("$spool/state/finished") // '', qr/./, 'finished ids are noted')
    if -e "$spool/state/finished";

note('torn envelope, no journal entry, message there');
@ids = settled(2, 100);
drive('defer');
spew(file($ids[0]), substr(slurp(file($ids[0])), 0, 100));
$out = drive('list');
like($out, qr/ENV $ids[0] ok size=100 generation=1$/m, 'from the record');
like($out, qr/ENV $ids[1] ok size=100 generation=2$/m, 'the other as it was');
like($err, qr/event=rebuilt evpid=$ids[0]/, 'logged');
like(slurp(file($ids[0])), qr/^check: crc32c=\w{8}\n\z/m, 'the file is whole');

note('whole message and envelopes, no journal entry');
$out = drive('list');
is(listed($out), join(' ', sort @ids), 'queued');
unlike($err, qr/./, 'nothing to say');

note('envelope missing, message there, no journal entry');
@ids = settled(1, 100, 3);
unlink(file($ids[1]));
$out = drive('list');
is(listed($out), join(' ', sort @ids[0, 2]), 'that recipient is done');
is(join(' ', corrupt()), '', 'nothing else happens');

note('message without any envelope');
@ids = settled(2, 100);
unlink(file($ids[0]));
$out = drive('list');
is(listed($out), $ids[1], 'not queued');
my $m = substr($ids[0], 0, 12);
is(join(' ', corrupt()), "$m $m.why", 'set aside');
like($out, qr/ANOMALY \S+$m: a message without any envelope/, 'listed');
unlike(drive('list'), qr/ANOMALY/, 'once');

note('envelope without message');
@ids = settled(2, 100);
unlink(msg($ids[0]));
$out = drive('list');
is(listed($out), $ids[1], 'not queued');
is(join(' ', corrupt()), "$ids[0] $ids[0].why", 'set aside');
like($out, qr/ANOMALY \S+$ids[0]: an envelope without/, 'listed');

note('wrong type, mode, owner, name, bucket');
@ids = settled(8, 100);
chmod(0666, file($ids[0]));
rename(file($ids[1]), "$dir/moved$count");
symlink("$dir/moved$count", file($ids[1]));
unlink(file($ids[2]));
mkfifo(file($ids[2]), 0600);
unlink(file($ids[3]));
mkdir(file($ids[3]));
link(file($ids[4]), "$dir/linked$count");
spew("$spool/queue/00/strange name", 'x');
my $other = substr($ids[5], 0, 2) eq '00' ? '01' : '00';
rename(file($ids[5]), "$spool/queue/$other/$ids[5]");
chmod(0666, msg($ids[6]));
$out = drive('list');
like($out, qr/ENV $ids[0] unavailable .*reason=wrong owner, or rights/, 'mode');
like($out, qr/ENV $ids[1] unavailable .*reason=a symbolic link/, 'symlink');
like($out, qr/ENV $ids[2] unavailable .*reason=not a regular/, 'fifo');
like($out, qr/ENV $ids[3] unavailable .*reason=not a regular/, 'directory');
like($out, qr/ENV $ids[4] unavailable .*reason=more than one link/, 'link');
like($out, qr/ANOMALY queue.00.strange name: /, 'name');
like($out, qr/ANOMALY queue.$other.$ids[5]: /, 'bucket');
like($out, qr/ENV $ids[6] unavailable .*reason=its message: wrong/, 'message');
like($out, qr/ENV $ids[7] ok/, 'the rest works on');
ok(-p file($ids[2]) && -d file($ids[3]) && -l file($ids[1]), 'left alone');
rename("$spool/queue/$other/$ids[5]", file($ids[5]));

note('a bucket that cannot be read');
@ids = settled(2, 100, 2);
drive('crash', 'defer');
my $bucket = "$spool/queue/" . substr($ids[0], 0, 2);
rename($bucket, "$bucket.away");
spew($bucket, 'no directory');
$out = drive('list');
like($out, qr/ANOMALY queue.\w\w: Not a directory/, 'reported');
like($out, qr/ENV $ids[2] ok/, 'the rest works on');
unlink($bucket);
rename("$bucket.away", $bucket);
$out = drive('list');
is(scalar(() = $out =~ /ok size=100 generation=2/g), 4,
    'when it is back, all is there, images too');

note('bits that flip');
@ids = settled(3, 100);
flip(file($ids[0]), 80);
flip(msg($ids[1]), 30);
truncate(msg($ids[2]), 300);
$out = drive('list');
like($out, qr/ENV $ids[0] damaged .*reason=edited or damaged/, 'envelope');
like($out, qr/ENV $ids[1] damaged .*reason=its message: the checksum/, 'head');
like($out, qr/ENV $ids[2] damaged .*reason=its message: cut short/, 'short');
@ids = settled(1, 5000);
flip(msg($ids[0]), 4000);
like(drive('check', 5000), qr/BODY \w+ status 4/, 'a body is not sent astray');

note('bad record that is the end of a run');
@ids = journaled(6, 3000);
@at = groups();
is(scalar(@at), 6, 'six groups');
flip($at[5][0], $at[5][1] + 900);
$out = drive('list');
is(listed($out), join(' ', sort @ids[0 .. 4]), 'replay stops there');
like(join(' ', corrupt()), qr/^journal-\w{16}-\w{8} \S+why$/, 'octets kept');
unlike($out, qr/alarm=./, 'no alarm');

note('bad record at or below a flushed seq');
@ids = journaled(6, 3000);
@at = groups();
flip($at[2][0], $at[2][1] + 900);
$out = drive('list');
is(listed($out), join(' ', sort @ids[0, 1, 3, 4, 5]), 'all that is readable');
like($out, qr/alarm=journal segment \d+: record \d+ was flushed/, 'alarm');
like(join(' ', corrupt()), qr/^journal-\w{16} \S+why$/, 'segment kept');
@ids = journaled(3, 3000);
@at = groups();
flip($at[1][0], $at[1][1] + 5);
$out = drive('list');
is(listed($out), join(' ', sort @ids[0, 2]), 'a bad head of a group as well');
like($out, qr/alarm=journal/, 'alarm');

note('incoming without put');
@ids = settled(1, 100);
spew("$spool/incoming/0123456789ab", 'half a body');
$out = drive('list');
ok(!-e "$spool/incoming/0123456789ab", 'removed');

note('a large body by reference');
@ids = journaled(2, 600000, 2);
is(scalar(glob("$spool/incoming/*") ? 1 : 0), 1, 'in incoming');
$out = drive('check', 600000);
is(listed($out), join(' ', sort @ids), 'all are there');
unlike($out, qr/BODY|ANOMALY/, 'and whole');
is(join(' ', glob("$spool/incoming/*")), '', 'moved');
$out = drive('check', 600000);
unlike($out, qr/BODY|ANOMALY/, 'and stay so');

note('a bulk verb survives');
@ids = settled(3, 100);
like(drive('crash', 'bulk', 'hold'), qr/BULKED 0/, 'accepted');
like(drive('list'), qr/BULK hold all=1 n=0\nENV/, 'reported first');
unlike(drive('list'), qr/BULK/, 'and once it is done no more');
like(drive('crash', 'bulk', 'hold', '0123456789ab'), qr/BULKED 0/, 'of one');
like(drive('list'), qr/BULK hold all=0 n=1\nNAMED 0123456789ab0000\n/,
    'a message as a whole is told apart');

note('a clean stop leaves files alone');
@ids = settled(4, 100);
drive('list');
my %before = map { $_ => (stat($_))[9] . ' ' . slurp($_) } files();
drive('list');
is_deeply({ map { $_ => (stat($_))[9] . ' ' . slurp($_) } files() },
    \%before, 'nothing is written twice');

note('recovery is repeated by a crash in it');
@ids = journaled(50, 3000);
drive('crash', 'list') for 1 .. 12;
$out = drive('check', 3000);
is(listed($out), join(' ', sort @ids), 'all are there');

note('a power cut keeps both names of a file that was moved');
$spool = "$dir/spool" . $count++;
@ids = drive('LARGE=1000', 'crash', 'put', 2, 5000) =~ /^ACK (\w+)/mg;
link("$spool/incoming/" . substr($ids[0], 0, 12), msg($ids[0])) or die;
spew("$spool/state/pauses.new", 'half of it');
$out = drive('LARGE=1000', 'check', 5000);
is(listed($out), join(' ', sort @ids), 'it is mail all the same');
unlike($out, qr/BODY|ANOMALY/, 'and whole');
is((stat(msg($ids[0])))[3], 1, 'under its new name alone');
is(join(' ', glob("$spool/incoming/*")), '', 'which is all there is');
ok(!-e "$spool/state/pauses.new", 'what a writer left half is gone');

note('a person has changed a file');
@ids = settled(2, 100);
($text = slurp(file($ids[0]))) =~ s/b\@example.net/c\@example.net/;
spew(file($ids[0]), $text);
$out = drive('defer');
is(slurp(file($ids[0])), $text, 'it is not overwritten');
is(scalar(() = $out =~ /ANOMALY $ids[0]: changed by hand/g), 1, 'said once');
like(slurp(file($ids[1])), qr/^generation: 2$/m, 'the other is');

SKIP: {
	skip('not root', 4) if $> != 0;
	note('opened by root, then another user in an empty root');
	chmod(0755, $dir);
	$spool = "$dir/spool" . $count++;
	# In an empty root the leak check has no /proc to look at itself.
	my @as = ('OWNER=65534', 'ASAN_OPTIONS=detect_leaks=0');
	$out = drive(@as, 'put', 3, 600000);
	@ids = $out =~ /^ACK (\w+)/mg;
	is((stat(msg($ids[0])))[4], 65534, 'files are that user\'s');
	$out = drive(@as, 'check', 600000);
	is(listed($out), join(' ', sort @ids), 'and are found again');
	unlike($out, qr/BODY|ANOMALY/, 'whole');
}

note('two at a time');
@ids = settled(1, 100);
my $pid = open(my $storm, '-|', "exec $drive $spool storm 100 1 2>&1")
    or die "fork: $!";
while (my $line = <$storm>) {
	last if $line =~ /^LOADED/;
}
my $say = `$drive $spool list 2>&1`;
like($say, qr/in use by another process \(pid $pid /, 'refused, with the pid');
kill('KILL', $pid);
waitpid($pid, 0);
# A first start that was cut short, at any of its steps, is simply done again.
for my $left (['queue'], ['queue', 'VERSION.new'], ['LOCK', 'VERSION.new']) {
	$spool = "$dir/spool" . $count++;
	mkdir $spool, 0700 or die;
	for (@$left) {
		/VERSION|LOCK/ ? spew("$spool/$_", 'spoolk')
		    : mkdir("$spool/$_", 0700);
	}
	like(drive('put', 1, 100, 1), qr/^ACK/m, "started again over @$left");
}

done_testing();
