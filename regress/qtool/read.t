#!/usr/bin/perl
# What the reading commands of qtool say of a spool at rest, in files and in
# the journal, in all stored forms; and that they change nothing.
use strict;
use warnings;

use File::Temp 'tempdir';
use JSON::PP;
use POSIX ();
use Test::More;

use Qtool qw(qtool qtool_err fill drive ring tree);
use Spoolkit;

my $dir = tempdir('qtool.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $s = "$dir/s";
my @on = ('-d', $s);
fill($s, messages => 300, recipients => 2, size => 1500);

sub objects {
	my ($out) = @_;
	return map { decode_json($_) } split /\n/, $out;
}

note('list');
my ($code, $out) = qtool(@on, 'list');
my @rows = split /\n/, $out;
is($code, 0, 'list');
is(shift @rows, 'ENVELOPE                       S TRY   AGE  NEXT  SIZE RCPT',
	'its head is that of smtpctl show queue');
is(scalar @rows, 600, 'a row an envelope');
is_deeply([map { substr $_, 0, 16 } @rows],
	[sort map { substr $_, 0, 16 } @rows], 'in the order of ids');
like($rows[0], qr/^[0-9a-f]{16} {15}O   1 /, 'offline: nobody works on it');
my @ids = split /\n/, qtool(@on, 'list', '-i');
is_deeply(\@ids, [map { substr $_, 0, 16 } @rows], '-i: the ids alone');
is(join("\0", @ids) . "\0", scalar qtool(@on, 'list', '-0'),
	'-0: each with a NUL');
my @o = objects(scalar qtool(@on, '-j', 'list'));
is($o[0]{type}, 'header', 'JSON begins with a header');
is($o[-1]{type} . $o[-1]{matched}, 'end600', 'and has an end');
ok(!(grep { !exists $o[1]{$_} } qw(evpid msgid gen state action sender rcpt
	dest arrival_time arrival expires tries last_try next_try
	message_size stored_bytes comp enc error)), 'an object has its members');
is($o[1]{message_size}, 1500, 'sizes are those of bodies');
my $file = "$s/queue/" . substr($ids[0], 0, 2) . "/$ids[0]";
my ($rcpt) = Spoolkit::slurp($file) =~ /^recipient: (.*)/m;
is($o[1]{rcpt}, $rcpt, 'as its file says');

my ($ten) = scalar qtool(@on, qw(list -n 10 --sort -age --fields),
	'evpid,arrived');
my @times = map { (split /\t/)[1] } split /\n/, $ten;
is(scalar @times, 10, '-n 10');
is_deeply(\@times, [sort @times], '--sort -age: the oldest first');
my $one = qtool(@on, 'list', '-i', $ids[7]);
is($one, "$ids[7]\n", 'an envelope by its id');
my $msgid = substr($ids[6], 0, 12);
is(scalar qtool(@on, 'list', '-i', $msgid), "${msgid}0001\n${msgid}0002\n",
	'a message by its id');
is(scalar qtool(@on, 'list', '-i', substr($msgid, 0, 8)),
	"${msgid}0001\n${msgid}0002\n", 'and by its beginning');
($code, undef, my $err) = qtool_err(@on, 'list', 'ffffffffffff0001');
is($code, 66, 'one that is not there: EX_NOINPUT');
like($err, qr/no envelope ffffffffffff0001/, 'is named');
open(my $pipe, '|-', "@{[Spoolkit::build_dir()]}/qtool -d $s list -i - "
	. ">$dir/piped") or die;
print $pipe "$ids[3]\n$ids[9]\n";
close $pipe;
is(Spoolkit::slurp("$dir/piped"), "$ids[3]\n$ids[9]\n", '- reads ids');

note('selectors');
my ($domain) = $rcpt =~ /\@(.*)/;
my $by = qtool(@on, 'count', '--by', 'rcpt.domain');
my %count = map { /^ *(\d+)  (\S+)$/ ? ($2 => $1) : () } split /\n/, $by;
my $sum = 0;
$sum += $_ for values %count;
is($sum, 600, 'count --by rcpt.domain counts all');
is(scalar qtool(@on, 'count', "rcpt.domain = $domain"), "$count{$domain}\n",
	'a selector names those of a domain');
is(scalar qtool(@on, 'count', '-r', "*\@$domain"), "$count{$domain}\n",
	'and so does -r');
is(scalar qtool(@on, 'count', '-S', 'deferred', '-r', "*\@$domain"),
	"$count{$domain}\n", 'tests of the state know what is deferred');
is(scalar qtool(@on, 'count', 'state = offline'), "600\n", 'and offline');
is(scalar qtool(@on, 'count', "any(rcpt = \"$rcpt\")"), "2\n",
	'any(): all of the message');
($code, undef, $err) = qtool_err(@on, 'list', 'rcpt.domian = x');
is($code, 64, 'a wrong selector is EX_USAGE');
like($err, qr/did you mean rcpt\.domain\?.*\n.*\n +\^/, 'with a caret');
like(scalar qtool(@on, 'list', '--explain', 'tries >= 1 && size > 1K'),
	qr/tries >= 1 .*asked 600, held 600.*600 of 600 envelopes match/s,
	'--explain');
my ($top) = qtool(@on, qw(count --top 1 --by), 'sender.domain,error.class')
    =~ /\n +(\d+)  \S+ \S+\n/;
ok($top > 0, 'count by two fields');
is(scalar qtool(@on, 'count'), "600\n", 'count alone');

note('shape, stat, lock');
my $shape = qtool(@on, qw(shape --top 2));
like($shape, qr/^ +T +5 +10 +20 +40 +80 +160 +320 +640 +1280 1280\+\n/,
	'shape has ten ages');
like($shape, qr/^ +TOTAL +600 /m, 'and a total');
like($shape, qr/\[other \d+\] /, 'and what is beyond --top');
my ($total) = $shape =~ /TOTAL +600(.*)/;
$sum = 0;
$sum += $_ for split ' ', $total;
is($sum, 600, 'each envelope in one column');
my ($stat) = grep { $_->{type} eq 'spool' } objects(scalar qtool(@on, qw(-j stat)));
is($stat->{messages}, 300, 'stat: messages');
is($stat->{envelopes}, 600, 'envelopes');
is($stat->{bytes}, 300 * 1500, 'octets');
is($stat->{'form.plain'}, 300, 'forms');
like(scalar qtool(@on, 'lock', 'status'), qr/nobody/, 'lock status: nobody');

note('cat');
is(scalar qtool(@on, 'cat', $ids[0]), Spoolkit::slurp($file),
	'cat of an envelope is its file');
my $raw = qtool(@on, 'cat', '--raw', $msgid);
is($raw, Spoolkit::slurp("$s/queue/" . substr($msgid, 0, 2) . "/$msgid"),
	'cat --raw is the file of a message');
my $eml = qtool(@on, 'cat', $msgid);
is(length $eml, 1500, 'cat of a message is its body');
is(substr($raw, -1500), $eml, 'as it stands in the file');
is(qtool(@on, 'cat', '--headers', $msgid)
	. qtool(@on, 'cat', '--body', $msgid) =~ s/^/\r\n/r, $eml,
	'a header and a body are the whole') if $eml =~ /\r\n\r\n/;
unlike(scalar qtool(@on, 'cat', '--redact', 'addr', $ids[0]),
	qr/\Q$rcpt\E|check:/, '--redact addr: no local parts, no check');
mkdir "$dir/out";
is((qtool(@on, qw(cat --out), "$dir/out", $ids[0], $msgid))[0], 0, '--out');
is(Spoolkit::slurp("$dir/out/$ids[0].env"), Spoolkit::slurp($file), 'a file');
is(Spoolkit::slurp("$dir/out/$msgid.eml"), $eml, 'each');
is((qtool_err(@on, qw(cat --out), "$dir/out", $ids[0]))[0], 73,
	'nothing is overwritten');

note('what only the journal has');
my $j = "$dir/j";
drive({ SETTLE => 60000, SEGMENT => 1 << 20 }, $j, qw(crash put 20 3000 3 4));
is(scalar(() = glob("$j/queue/??/*")), 0, 'no file');
is(scalar qtool('-d', $j, 'count'), "60\n", 'all envelopes are seen');
my ($first) = split /\n/, qtool('-d', $j, 'list', '-i', '-n', 1);
like(scalar qtool('-d', $j, 'cat', $first), qr/^id: $first$/m, 'and read');
is(length qtool('-d', $j, 'cat', substr($first, 0, 12)), 3000,
	'and so is the message');
($code, $out) = qtool('-d', $j, 'doctor');
like($out, qr/journal says more.*\n +start smtpd/, 'doctor tells');
is($code, 1, 'and ends with 1');
drive({ SEGMENT => 1 << 20 }, $j, 'crash', 'bulk', 'hold');
is(scalar qtool('-d', $j, qw(count -S held)), "60\n",
	'a verb that is not carried out shows');
drive({ SEGMENT => 1 << 20 }, $j, 'crash', 'bulk', 'remove', substr($first, 0, 12));
is(scalar qtool('-d', $j, 'count'), "57\n", 'what is being removed is gone');

my $l = "$dir/l";
drive({ SETTLE => 60000, SEGMENT => 1 << 20, LARGE => 10000 }, $l,
	qw(crash put 3 30000 1 1));
my ($large) = glob "$l/incoming/*";
ok($large, 'a large message is in incoming/');
is(scalar qtool('-d', $l, 'count', 'size = 30000'), "3\n", 'and is seen');
my ($name) = $large =~ m{([^/]*)\z};
link $large, "$l/queue/" . substr($name, 0, 2) . "/$name" or die "link: $!";
is(length qtool('-d', $l, 'cat', $name), 30000, 'also on its way to a bucket');

note('sealed');
my $kid = 'a-key-for-tests1';
my $ring = ring("$dir/ring", $kid);
my $z = "$dir/z";
drive({ KEYS => $ring, SEAL => 1, ZSTD => 1, SEGMENT => 1 << 20 }, $z, qw(put 20 3000 2 4));
drive({ KEYS => $ring, SEAL => 1, SETTLE => 60000, SEGMENT => 1 << 20 }, $z,
	qw(crash put 5 3000 2 4));
my @key = ('-d', $z, '--keyring', $ring);
is(scalar qtool(@key, 'count'), "50\n", 'with the key: all');
is(scalar qtool(@key, qw(count --by), 'state,kid') =~ s/ +/ /gr,
	" COUNT state kid\n 50 offline $kid\n", 'readable');
($code, $out, $err) = qtool_err('-d', $z, 'list');
is($code, 0, 'without the key: list ends well');
is(scalar(() = $out =~ / L   0 /g), 45,
	'40 envelopes in files, 5 messages in the journal');
like($err, qr/45 envelopes are locked: the key $kid/, 'the key is named');
my ($id) = split /\n/, qtool(@key, 'list', '-i', '-n', 1);
my @keyed = split /\n/, qtool(@key, 'list', '-i');
is(scalar(grep { (qtool_err('-d', $z, 'cat', $_))[0] == 78 } @keyed[0, -1],
	map { substr $_, 0, 12 } @keyed), 52, 'cat without: EX_CONFIG');
my $clear = qtool(@key, 'cat', $id);
like($clear, qr/^id: $id\n/m, 'cat with: clear text');
is(length qtool(@key, 'cat', substr($id, 0, 12)), 3000, 'bodies as well');
($code, $out) = qtool('-d', $z, 'doctor');
like($out, qr/sealed by the key $kid/, 'doctor names the key');

note('a ring with a passphrase');
Spoolkit::spew("$dir/word", "correct horse\n");
Spoolkit::spew("$dir/wrong", "correct house\n");
Spoolkit::spew("$dir/pring", scalar qtool('--passphrase-file', "$dir/word",
	qw(key new --kid), $kid));
chmod 0400, "$dir/pring";
my @p = ('-d', $s, '--keyring', "$dir/pring");
is(scalar qtool(@p, '--passphrase-file', "$dir/word", 'count'), "600\n",
	'opened by its passphrase');
($code, undef, $err) = qtool_err(@p, '--passphrase-file', "$dir/wrong", 'count');
is($code, 78, 'another passphrase: EX_CONFIG');
unlike($err, qr/correct|house/, 'which is not shown');
chmod 0644, "$dir/pring";
is((qtool_err(@p, '--passphrase-file', "$dir/word", 'count'))[0], 78,
	'a ring that others may read is refused');

note('what is wrong is shown, and why');
my $d = "$dir/d";
system('cp', '-a', $s, $d);
is((qtool('diff', $s, $d))[0], 0, 'diff: a copy is the same');
my @f = map { "$d/queue/" . substr($_, 0, 2) . "/$_" } @ids;
Spoolkit::spew($f[0], Spoolkit::slurp($f[0]) =~ s/^tries: 1/tries: 9/mr);
truncate $f[1], 100;
chmod 0644, $f[2];
unlink $f[3];
unlink "$d/queue/" . substr($ids[4], 0, 2) . '/' . substr($ids[4], 0, 12);
Spoolkit::spew("$d/queue/00/what", 'x');
rename $f[6], "$d/queue/" . (substr($ids[6], 0, 2) eq '07' ? '08' : '07')
    . "/$ids[6]";
my %is = map { ($_->{evpid} // '') => $_ } objects(scalar qtool('-d', $d, '-j', 'list'));
is("$is{$ids[0]}{state}: $is{$ids[0]}{reason}",
	'corrupt: edited or damaged', 'edited');
is($is{$ids[1]}{state}, 'offline', 'torn, and rebuilt from the record');
like($is{$ids[2]}{reason}, qr/rights for others/, 'mode');
ok(!$is{$ids[3]}, 'removed by a person: gone');
like($is{$ids[4]}{reason}, qr/no such message/, 'without its message');
($code, $out) = qtool('diff', $s, $d);
is($code, 1, 'diff ends with 1');
like($out, qr/^~ $ids[0] .*differs\n  - tries: 1\n  \+ tries: 9$/m, 'a line');
like($out, qr/^- $ids[3] /m, 'what is missing');
($code, $out) = qtool('-d', $d, 'doctor');
is($code, 1, 'doctor finds');
like($out, qr/$_/, $_) for 'cut short', 'edited or damaged', 'mode, owner',
    'no business', "another's bucket", 'message is gone';

note('nothing is ever changed');
for my $spool ($s, $j, $z, $d) {
	my $before = tree($spool);
	my ($any) = split /\n/, qtool('-d', $spool, 'list', '-i', '-n', 1);
	for my $words (['list'], ['list', '--sort', 'age'], ['count'],
		['count', '--by', 'rcpt.domain'],
		['count', '--by', 'subject'], ['shape'], ['stat'],
		['lock', 'status'], ['doctor'], ['cat', $any],
		['cat', '--eml', $any], ['cat', '--raw', $any],
		['list', 'any(held)'], ['list', '--explain', 'body ~ "*x*"'])
	{
		qtool_err('-d', $spool, @$words);
	}
	qtool_err('diff', $spool, $s);
	is(tree($spool), $before, "$spool is as it was");
}

note('errors');
is((qtool_err('-d', "$dir/none", 'list'))[0], 66, 'no spool: EX_NOINPUT');
is((qtool_err('-d', $dir, 'list'))[0], 66, 'no spool of ours');
is((qtool_err('-d', $s, 'lsit'))[0], 64, 'no command: EX_USAGE');
is((qtool_err('-d', $s, 'list', '--sort', 'x'))[0], 64, 'no field');
is((qtool_err('-c', "$dir/none.conf", 'list'))[0], 78, 'no configuration');
Spoolkit::spew("$dir/c.conf", "listen on lo\nspool \"s\" # ours\n");
is(scalar qtool('-c', "$dir/c.conf", 'count'), "600\n",
	'-c: the spool of a configuration, beside it');
done_testing();
