#!/usr/bin/perl
# why: the true reason an envelope is still here, and when it is tried again.
use strict;
use warnings;
use FakeMX;
use Spoolkit;
use Test::More;

my $mx = FakeMX->start(
	grey => { RCPT => ['451 4.7.1 greylisted, come back later'] },
	bad => { RCPT => ['550 5.1.1 no such user'] });
my $rules = <<'END';
accept from any for domain "grey.test" relay via "smtp://127.0.0.1:%GREY%"
accept from any for domain "bad.test" relay via "smtp://127.0.0.1:%BAD%"
accept from any for domain "here.test" users any \
	deliver to maildir "%DIR%/mail/%{user}"
END
my $d = Spoolkit->start(vars => { GREY => $mx->port('grey'),
	BAD => $mx->port('bad') }, conf => $rules);

sub take {
	my ($to, $from) = @_;
	my $reply = $d->send($from // 'news@shop.example', $to,
		"Subject: x\n\nhello\n");
	$reply =~ /^250 2\.0\.0 ([0-9a-f]{12}) / or die "refused: $reply\n";
	return $1;
}

# The rows of why: the envelope's, and those of its attempts.
sub why {
	my ($id) = @_;
	my @rows = $d->ctl_json('why', $id);
	my ($why) = grep { $_->{type} eq 'why' } @rows;
	return ($why // {}, [grep { $_->{type} eq 'attempt' } @rows], \@rows);
}

sub tried {
	my ($id, $n) = @_;
	return $d->wait(sub {
		my ($e) = $d->queue($id);
		return $e && $e->{tries} >= $n && $e->{state} ne 'inflight';
	}, 60);
}

my $id = take('ann@grey.test');
ok tried($id, 1), 'one is put off by its host';
my ($why, $attempts) = why($id);
is $why->{state}, 'deferred', 'deferred';
is $why->{cause}, 'deferred-by-host', 'by the host';
like $why->{text}, qr/greylist.*451 4\.7\.1 greylisted.*next attempt 20\S+Z/,
    'with its words and the next attempt';
is $why->{tries}, 1, 'tries';
is $why->{error}{enhanced}, '4.7.1', 'the code';
is_deeply [map { $_->{n} } @$attempts[0 .. 3]], [2 .. 5],
    'the attempts are numbered on';
is_deeply [map { $_->{after_s} } @$attempts[0 .. 3]],
    [400, 1600, 3600, 6400], 'and come at 400 s times the square';
is $attempts->[0]{next_try}, $why->{next_try}, 'the first is the next';
is $attempts->[-1]{next_try}, $why->{expires}, 'the last is at the end';
is scalar @$attempts, 30, 'as many as there are in four days';
my ($code, $out, $err) = $d->ctl('why', substr $id, 0, 8);
is $code, 0, 'a prefix will do' or diag $err;
like $out, qr/^envelope  ${id}0001 to ann\@grey\.test, from news\@shop/m,
    'what it is';
like $out, qr/^state     deferred, 1 tries, arrived \S+ ago, expires 20/m,
    'its state';
like $out, qr/^now       deferred-by-host: the host put it off/m, 'why';
like $out, qr/^attempt   3 at 1600 s, 20\S+Z, in \d+m$/m, 'when again';

$d->ctl('pause', 'envelope', $id, '--reason', 'CHG-9 asked for');
($why, $attempts) = why($id);
is "$why->{state} $why->{cause}", 'held held', 'held';
like $why->{text}, qr/CHG-9 asked for/, 'and by whose reason';
is_deeply $attempts, [], 'so no attempt is promised';
$d->ctl('resume', 'envelope', $id);

$d->ctl('pause', 'mta');
($why) = why($id);
is $why->{cause}, 'paused', 'relaying is paused';
my $new = take('bob@grey.test');
($why) = why($new);
is "$why->{state} $why->{cause}", 'ready paused', 'for a new one as well';
$d->ctl('resume', 'mta');
tried($new, 1);

$d->ctl('pause', 'mda');
my $local = take('cat@here.test');
($why) = why($local);
is "$why->{carrier} $why->{cause}", 'mda paused', 'local delivery is paused';
$d->ctl('resume', 'mda');

my $two = $d->send('news@shop.example', ['ann@grey.test', 'eve@grey.test'],
	"Subject: y\n\nx\n") =~ /^250 \S+ (\S+)/ ? $1 : die;
ok $d->wait(sub {
	2 == grep { $_->{tries} == 1 } $d->queue($two)
}, 60), 'two of one message';
my @rows = grep { $_->{type} eq 'why' } $d->ctl_json('why', $two);
is join(' ', sort map { $_->{rcpt} } @rows), 'ann@grey.test eve@grey.test',
    'a message is answered by envelope';

# What is not there, and what is no id.
($code, undef, $err) = $d->ctl('why', '0123456789ab0001');
is $code, 66, 'an envelope that is not there';
like $err, qr/no envelope 0123456789ab0001: it is gone/, 'is gone';

# Its action disappears.
$d->set_conf($rules =~ s/^accept.*relay via.*\n//mgr);
$d->ctl('reload');
ok $d->wait(sub { (why($id))[0]{cause} eq 'no-action' }, 30),
    'an action that is no longer configured';
like((why($id))[0]{text}, qr/not in the configuration/, 'is said');
$d->set_conf($rules);
$d->ctl('reload');
ok $d->wait(sub { (why($id))[0]{cause} ne 'no-action' }, 30), 'and is back';

# Time is over: while its relay is paused it is not tried, then it is given
# up.
my ($grey) = map { "smtp://127.0.0.1:$_" } $mx->port('grey');
$d->ctl('pause', 'relay', $grey, '--reason', 'INC-1');
$d->clock(5 * 86400);
$d->ctl('schedule', $id);
ok $d->wait(sub { (why($id))[0]{cause} eq 'expired' }, 60), 'days later'
    or diag explain((why($id))[0]);
like((why($id))[0]{text}, qr/time (?:is|was) over/, 'it says');
$d->ctl('resume', 'relay', $grey);
$d->ctl('schedule', $id);
ok $d->wait(sub {
	my ($w) = why($id);
	return !%$w || $w->{state} eq 'bounce';
}, 60), 'it is given up at its last attempt';
$d->stop;
done_testing;
