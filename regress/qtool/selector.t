#!/usr/bin/perl
# Selectors and ids at qtool's command line, as people type them: on a small
# spool at rest, of which we know what is in it.
use strict;
use warnings;
use Broken qw(envelope message unpack_spool slurp spew);
use File::Temp qw(tempdir);
use Test::More;

my $build = $ENV{BUILD} || 'build';
my $dir = tempdir(CLEANUP => 1);
my $spool = "$dir/spool";
umask(077);
mkdir($spool);
mkdir("$spool/$_") for qw(journal incoming queue corrupt trash offline state);
spew("$spool/VERSION", "spoolkit-spool 1\n");

sub put {
	my ($id, @envelopes) = @_;
	my $bucket = "$spool/queue/" . substr($id, 0, 2);
	mkdir($bucket);
	spew("$bucket/$id", message($id, map { $_->[1] } @envelopes));
	spew("$bucket/$_->[0]", $_->[1]) for @envelopes;
}

sub one {
	my ($id, %odd) = @_;
	return [$id, envelope($id, %odd)];
}

my $A = '0a0a0a0a0a0a';
my $B = '1b1b1b1b1b1b';
my $C = '0a0a0a0b0b0b';
put($A,
    one("${A}0001", tries => 100000, recipient => 'Bob@Example.NET'),
    one("${A}0002", state => 'held', hold => 'rule=r7 reason=x'),
    one("${A}0003", sender => '', recipient => 'facade@c0ffee.example'));
put($B, one("${B}0001", error => '421 4.7.0 [TSS04] busy from mx [192.0.2.9]',
	tries => 3));
put($C, one("${C}0001", sender => 'off line@offline.example'));
spew("$spool/queue/1b/${B}0002", "spool-envelope: 1\nid: no\n");

# Its output, and what it says on stderr behind it; then its exit code.
sub qtool {
	my (@words) = @_;
	my $pid = open(my $fh, '-|') // die;
	if ($pid == 0) {
		open(STDERR, '>&', \*STDOUT);
		exec("$build/qtool", '-d', $spool, @words) or die;
	}
	my $out = do { local $/; <$fh> } // '';
	close($fh);
	return ($out, $? >> 8);
}

# Short names of what is listed: A1, B1.
sub ids {
	my ($out, $code) = qtool('list', '--ids', @_);
	return "exit $code: $out" if $code != 0;
	$out =~ s/$A\d*(\d)/A$1/g;
	$out =~ s/$B\d*(\d)/B$1/g;
	$out =~ s/$C\d*(\d)/C$1/g;
	return join(' ', split(' ', $out));
}

my $all = 'A1 A2 A3 C1 B1 B2';
for (
	# the language, one argument or many
	['no argument', [], $all],
	['all', ['all'], $all],
	['one argument', ['tries = 100000'], 'A1'],
	['a number of six digits is no id', [qw(tries = 100000)], 'A1'],
	['nor is a word of hex letters', [qw(rcpt.local = facade)], 'A3'],
	['nor one in a list', ['rcpt.local', 'in', '(bob,', 'facade)'],
	    'A2 A3 C1 B1'],
	['options too', ['-f', 'ann@example.org', 'held'], 'A2'],
	['options behind', ['held', '-f', 'ann@example.org'], 'A2'],
	['|| of arguments stays within', ['-S', 'held', 'all || all'], 'A2'],
	['|| of -w too', ['-w', 'held || sender.null', '-w', 'held'], 'A2'],
	['-f of the null sender', ['-f', '<>'], 'A3'],
	['domains fold', ['rcpt = Bob@EXAMPLE.net'], 'A1'],
	['local parts do not', ['rcpt = bob@example.net && tries > 3'], ''],
	['-e', ['-e', '[TSS04]'], 'B1'],
	['error.mx', ['error.mx = mx && error.code = 421'], 'B1'],
	['rule', ['rule = r7'], 'A2'],
	['a subject', ["subject = $A"], 'A1 A2 A3'],
	['a header field', ['hdr.Received ~ "*mail.example.org by mx*"'],
	    'A1 A2 A3 C1 B1 B2'],
	['the body has no header', ['body ~ /Received|Subject/'], ''],
	['the body', ["body = \"This is $B.\\r\\n\""], 'B1 B2'],
	['what is broken', ['state = corrupt'], 'B2'],
	['of what is broken little is known', ['tries >= 0 && id ~ 1b*'],
	    'B1'],
	['nobody is at work: offline', ['state = offline'], 'A1 A3 C1 B1'],
	['the word elsewhere renames nothing',
	    ['sender.domain = offline.example && state in (ready, deferred)'],
	    'C1'],
	# ids
	['a message', [$A], 'A1 A2 A3'],
	['an envelope', ["${A}0002"], 'A2'],
	['a beginning', ['0a0a0a'], 'A1 A2 A3 C1'],
	['ids that hold each other', [$A, "${A}0002", '0a0a0a'],
	    'A1 A2 A3 C1'],
	['the same in the language', ["id = ${A}0002 || id = $A"],
	    'A1 A2 A3'],
	['ids and a selector', [$A, 'held'], 'A2'],
	['in the other order', ['held', $A], 'A2'],
	['ids in many words', ['msgid', 'in', "($A,", "$B)"],
	    'A1 A2 A3 B1 B2'],
	# all envelopes of a message
	['any', ['any(held)'], 'A1 A2 A3'],
	['none', ['none(held || state = corrupt)'], 'C1'],
	['any, by id', ["${A}0001", 'any(held)'], 'A1'],
	['any, and an id', ["any(held) && id = ${A}0003"], 'A3'],
	['how many', ["msg.rcpts = 3 && id = ${A}0003"], 'A3'],
    )
{
	my ($name, $words, $want) = @$_;
	is(ids(@$words), $want, $name);
}

sub says {
	my ($name, $code, $want, @words) = @_;
	my ($out, $exit) = qtool(@words);
	is($exit, $code, "$name: exit");
	like($out, $want, $name);
}

says('a caret', 64, qr/did you mean rcpt\.domain\?
  held && rcpt\.domian = x
          \^$/m, 'list', 'held && rcpt.domian = x');
says('-S', 64, qr/no state, did you mean ready/, 'list', '-S', 'redy');
says('-o', 64, qr/3 needs a unit/, 'count', '-o', '3');
says('--by', 64, qr/did you mean rcpt\.domain/, 'count', '--by',
    'rcpt.domian');
says('an id that is not there', 66, qr/no envelope 2c2c2c2c2c2c/, 'list',
    '2c2c2c2c2c2c');
says('one of two', 66, qr/no envelope ${A}0009/, 'list', '--ids', $A,
    "${A}0009");
says('a parenthesis of -w', 64, qr/without an opening one/, 'list', '-w',
    'held) || (all');
says('explain', 0, qr/^    tries > 9  \(index\)  asked 1, held 1\n/m, 'count',
    '--explain', 'held || sender = ann@example.org && tries > 9', $A);
is(`printf '${A}0001\\n${A}0001\\n' | $build/qtool -d $spool list --ids -`,
    "${A}0001\n", 'ids from standard input, once each');
is(`printf '${A}0001\\000$B\\000' | $build/qtool -d $spool count -`, "3\n",
    'with NUL between');
is((qtool('-j', 'count', 'held'))[0] =~ /"error"/, '', '-j');

like((qtool('-j', 'count', '-f', 'a@X', 'held||paused'))[0],
    qr/^\{"type":"header".*"selector":"sender ~ a\@X && \(held \|\| paused\)"/,
    'the header says what was meant');
unlike((qtool('-j', 'list', $A))[0], qr/"selector"/, 'no selector, no word');

done_testing();
