#!/usr/bin/perl
# The key ring's commands: what they print, what they refuse, what they leave of
# the ring's file.
use strict;
use warnings;
use Broken qw(tree message envelope spew slurp file_of);
use File::Temp qw(tempdir);
use Spoolkit::Ring;
use Test::More;

my $build = $ENV{BUILD} || 'build';
my $dir = tempdir(CLEANUP => 1);
my $spool = "$dir/spool";
my $maker = Spoolkit::Ring->new;
my ($first, $second, $third) = qw(the-first-key-01 the-second-key-2
    the-third-key-03);
my $exit;
umask(077);
mkdir($spool);
tree($spool);

sub qtool {
	my (@words) = @_;
	my $out = `$build/qtool -d $spool @words 2>&1`;
	$exit = $? >> 8;
	return $out;
}

sub ring { spew("$dir/ring", join('', @_), 0400) }
my $with = "--keyring $dir/ring";

note('key new');
like(qtool('key new'), qr/\A[a-z0-9-]{16} active \S+Z aes-256-gcm \S{44}\n\z/,
    'the first key of a ring is active');
isnt(qtool('key new'), qtool('key new'), 'no two are the same');
ring($maker->line(active => $first));
like(qtool("$with key new --kid $second"), qr/\A$second readable /,
    'another one is not');
qtool("$with key new --kid $first");
is($exit, 64, 'a kid that the ring has');
qtool('key new --kid short');
is($exit, 64, 'a kid that is too short');
qtool('key new --kid A-capital-letter');
is($exit, 64, 'or has other letters');
spew("$dir/word", "open sesame\n", 0400);
spew("$dir/sealed", qtool("$with --passphrase-file $dir/word key new "
    . "--kid $second"), 0400);
is($exit, 0, 'a ring with a passphrase');
my $sealed = slurp("$dir/sealed");
like($sealed, qr/\Ascrypt .*\n$first active .*\n$second readable /,
    'has all the keys');
is(index($sealed, $maker->base64($first)), -1, 'none of them in the clear');
like(qtool("--keyring $dir/sealed --passphrase-file $dir/word key list"),
    qr/^$first active .*\n$second readable/m, 'and opens');
spew("$dir/word2", "open barley\n", 0400);
qtool("--keyring $dir/sealed --passphrase-file $dir/word2 key list");
is($exit, 78, 'not with another word');
system("$build/qtool -d $spool --keyring $dir/sealed key list </dev/null "
    . '>/dev/null 2>&1');
isnt($?, 0, 'nor without one');

note('key list, key test');
for my $id (qw(1b1b1b1b1b1b 2c2c2c2c2c2c)) {
	my $text = envelope("${id}0001");
	spew("$spool/" . file_of($id), message($id, $text));
	spew("$spool/" . file_of("${id}0001"), $text);
}
qtool("$with convert --enc aes-256-gcm");
is($exit, 0, 'a sealed spool');
like(qtool("$with key list"), qr/^$first +active +\S+ +2 +2 +0 /m,
    'two messages and two envelopes');
like(qtool("$with -j key list"), qr/"kid":"$first","state":"active".*"messages":2,"envelopes":2,"elsewhere":0/,
    'the same as JSON');
like(qtool("$with key test"), qr/^$first .*opened an object$/m, 'it opens them');
is($exit, 0, 'key test is content');
my $mine = $maker->line(active => $second);
ring($mine);
like(qtool("$with key list"), qr/^$first +missing +- +2 +2 /m,
    'a key that is missing');
qtool("$with key test");
is($exit, 78, 'key test is not content');
ring($mine =~ s/$second/$first/r);
like(qtool("$with key test"), qr/does not open what names it/,
    'another key by that name');
is($exit, 78, 'is told');
like(qtool("$with verify --level parse"), qr/^Q04 .* another key $first than/m,
    'and is no damage');

note('key rotate, key retire');
ring("# ours\n", $maker->line(active => $first), "\n# spare\n",
    $maker->line(readable => $second), $maker->line(readable => $third));
my $before = slurp("$dir/ring");
like(qtool("$with key retire $first"), qr/seals new mail/, 'not the active one');
is($exit, 3, 'refused');
qtool("$with key rotate");
is($exit, 64, 'to which key');
qtool("$with key rotate --to no-such-key-here");
is($exit, 78, 'not one of the ring');
is(slurp("$dir/ring"), $before, 'the ring is as it was');
system("cp $spool/" . file_of('1b1b1b1b1b1b') . " $spool/corrupt/kept");
system("cp $spool/" . file_of('1b1b1b1b1b1b0001') . " $spool/corrupt/text");
mkdir("$spool/trash/j-1");
system("cp $spool/" . file_of('2c2c2c2c2c2c') . " $spool/trash/j-1/x");
like(qtool("$with key list"), qr/^$first +active +\S+ +2 +2 +3 /m,
    'what is in corrupt/ and trash/ counts');
qtool("$with key rotate --to $second");
is($exit, 0, 'rotate');
is(slurp("$dir/ring"), $before =~ s/$first active/$first readable/r
    =~ s/$second readable/$second active/r, 'the ring has another active key');
is((stat("$dir/ring"))[2] & 07777, 0400, 'and its mode');
like(qtool("$with key list"), qr/^$second +active +\S+ +2 +2 +3 /m,
    'all has the new key');
is(`grep -rl $first $spool`, '', 'nothing names the old one, nor the journal');
qtool("$with key retire $third");
is($exit, 0, 'a key that was never used');
system("cp $spool/" . file_of('1b1b1b1b1b1b') . " $dir/copy");
qtool("$with key rotate --to $first");
system("cp $dir/copy $spool/corrupt/late");
like(qtool("$with key retire $second"), qr/1 objects need key .*corrupt\/late/,
    'one file needs it');
is($exit, 3, 'refused');
unlink("$spool/corrupt/late");
spew("$spool/corrupt/journal-0000000000000001-00001000",
    'x' x (1048576 - 30) . slurp("$dir/copy"));
like(qtool("$with key retire $second"), qr/1 objects need key .*journal-/,
    'and a piece of the journal that was kept');
unlink(glob("$spool/corrupt/journal*"));
qtool("$with key retire $second");
is($exit, 0, 'none does');
like(slurp("$dir/ring"), qr/^$second retired /m, 'the ring says so');
ring($maker->line(active => $second));
like(qtool("$with verify --level parse"), qr/: 4 problems/, 'it opens nothing');
qtool("$with key rotate --to $second");
is($exit, 2, 'what is locked is left');

note('a ring that others may read');
chmod(0440, "$dir/ring");
qtool("$with key list");
is($exit, 78, 'is refused');
done_testing();
