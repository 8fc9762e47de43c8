#!/usr/bin/perl
# The reading commands of qtool beside a daemon: a quiet one's spool stays as
# it is to the octet; of a busy one each run is a snapshot, in which nothing
# ever looks damaged, and mail that stays is in every one.
use strict;
use warnings;

use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;

use Qtool qw(qtool qtool_err tree);
use Spoolkit;

my $bench = Spoolkit::build_dir() . '/bench';
my $port = Spoolkit::free_port();
my $sink = fork // die;
my $d = Spoolkit->start(vars => { SINK => $port }, conf => <<'END') if $sink;
queue journal 8M
queue settle now
accept from any for domain "gone.test" relay via "smtp://127.0.0.1:%SINK%"
accept from any for domain "relay.test" relay via "smtp://127.0.0.1:%SINK%"
END
if (!$sink) {
	open(STDOUT, '>', '/dev/null');
	{ no warnings; exec "$bench/sink", '--port', $port,
	    '--rcpt', '*@gone.test=451'; }
	POSIX::_exit(127);
}
END { kill 'KILL', $sink if $sink }
my $spool = $d->dir . '/spool';
my @on = ('-d', $spool);

$d->send('a@x.test', "u$_\@gone.test",
	"Subject: number $_\r\n to be folded\r\nCc: Ann <ann.b\@cc.test>\r\n\r\n"
	. "From here on it stays\r\nask bob\@body.test\r\n") for 1 .. 20;
$d->wait(sub { 20 == grep { $_->{tries} } $d->queue }, 60);
is(($d->ctl('sync'))[0], 0, 'sync');

note('a quiet daemon');
my ($code, $out) = qtool(@on, 'lock', 'status');
like($out, qr/locked by pid \d+ \(/, 'lock status names the owner');
my @ids = sort map { $_->{evpid} } $d->queue;
my $id = $ids[0];
# A checkpoint may follow; then nothing moves.
my ($last, $now) = ('', tree($spool));
for (1 .. 50) {
	last if $last eq $now;
	select undef, undef, undef, 0.3;
	($last, $now) = ($now, tree($spool));
}
for my $words (['list'], ['count'], ['count', '--by', 'rcpt.domain'],
	['count', '--by', 'subject'], ['shape'], ['stat'], ['doctor'],
	['lock', 'status'], ['cat', $id], ['cat', substr $id, 0, 12],
	['cat', '--raw', $id], ['list', 'subject ~ "*3*"'])
{
	($code, $out, my $err) = qtool_err(@on, @$words);
	is($code, 0, "@$words") or diag $out, $err;
}
is(tree($spool), $now, 'and the spool is as it was');
is_deeply([split /\n/, qtool(@on, 'list', '-i')], \@ids,
	'list is what show queue has');
my %state = map { $_->{evpid} => $_->{state} } $d->queue;
my @rows = grep { $_->{type} eq 'envelope' }
    map { decode_json($_) } split /\n/, qtool(@on, '-j', 'list');
is($_->{state}, $state{$_->{evpid}}, "$_->{evpid} is $_->{state}")
    for @rows[0 .. 2];
is(scalar qtool(@on, 'cat', $id), ($d->ctl('show', 'envelope', $id))[1],
	'cat is what show envelope has');

note('parts of a message');
my $msgid = substr $id, 0, 12;
my $whole = qtool(@on, 'cat', $msgid);
my ($number) = $whole =~ /^Subject: number (\d+)\r\n to be folded\r$/m;
ok($number, 'cat: the whole of it');
is(qtool(@on, 'cat', '--headers', $msgid) . "\r\n"
	. qtool(@on, 'cat', '--body', $msgid), $whole,
	'a header and a body are the whole');
is(scalar qtool(@on, 'cat', '--body', $msgid),
	"From here on it stays\r\nask bob\@body.test\r\n", '--body');
my $mbox = qtool(@on, 'cat', '--mbox', $msgid);
like($mbox, qr/^From a\@x\.test \w{3} \w{3} [ \d]\d \S+ \d{4}\n/, '--mbox');
like($mbox, qr/\n\n>From here on it stays\n.*\n\n\z/s, 'From is quoted');
unlike($mbox, qr/\r/, 'with LF line ends');
my $less = qtool(@on, 'cat', '--redact', 'subject', $msgid);
is($less, $whole =~ s/number.*folded/[redacted]/sr, '--redact subject');
$less = qtool(@on, 'cat', '--redact', 'addr', $msgid);
like($less, qr/Ann <a\*\*\*\@cc\.test>/, '--redact addr in the header');
like($less, qr/ask \*\*\*\@body\.test/, 'and in the body');
$less = qtool(@on, 'cat', '--redact', 'body,addr,subject', $msgid);
like($less, qr/\r\n\r\n\[42 octets redacted\]\r\n\z/, '--redact body');
is((qtool_err(@on, 'cat', '--redact', 'all', $msgid))[0], 64, 'nothing else');
like(scalar qtool(@on, 'count', '--by', 'hdr.Cc'),
	qr/^ +20  Ann <ann\.b\@cc\.test>$/m, 'count by a header field');
is(scalar qtool(@on, 'count', "subject ~ \"number $number *\""), "1\n",
	'a selector by the subject');
is(scalar qtool(@on, 'count', 'body ~ "*bob@body*"'), "20\n", 'by the body');

note('a busy daemon');
my $flood = fork // die;
if (!$flood) {
	open(STDOUT, '>', '/dev/null');
	{ no warnings; exec "$bench/flood", '--port', $d->port, '--run', 'r',
		'--size', '2K', '--sessions', 4, '--seconds', 6,
		'--messages', 1000000, '--to', 'r%u@relay.test'; }
	POSIX::_exit(127);
}
my ($runs, $odd, $missing, $failed, $more) = (0) x 5;
my $said = '';
while (waitpid($flood, WNOHANG) == 0) {
	my ($c, $list) = qtool(@on, '-j', 'list');
	my %now = map { $_->{evpid} => $_ } grep { $_->{type} eq 'envelope' }
	    map { decode_json($_) } split /\n/, $list;
	$failed++ if $c != 0;
	$missing++ for grep { !$now{$_} } @ids;
	for my $e (grep { $_->{state} eq 'corrupt' } values %now) {
		$odd++;
		$said .= "$e->{evpid} $e->{reason}\n";
	}
	$more++ if keys %now > @ids;
	($c, $list) = qtool(@on, 'doctor');
	# A scrap of time in which blocks are few is not what is tested.
	$said .= $list if $c != 0 && $list !~ /blocks are free/;
	$failed++ if $c != 0 && $list !~ /blocks are free/;
	$runs++;
}
cmp_ok($runs, '>', 3, "$runs snapshots were taken");
cmp_ok($more, '>', 0, 'and they show mail on its way');
is($failed, 0, 'each command ended well') or diag $said;
is($missing, 0, 'what stays was in each of them');
is($odd, 0, 'nothing looked damaged') or diag $said;
is(kill(0, $d->pid), 1, 'the daemon lives');
$d->stop;
is(scalar qtool(@on, 'lock', 'status'), "nobody holds the spool's lock\n",
	'the lock is free when it has stopped');
done_testing();
