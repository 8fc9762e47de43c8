#!/usr/bin/perl
# Retry: n squared times the base after the arrival, then expiry and a bounce.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(
	down => { RCPT => ['451 4.7.1 come back later'] },
	grey => { RCPT => ['451 4.7.1 greylisted', '250 2.1.5 ok'] },
	no => { RCPT => ['550 5.1.1 no such user here'] });
my $d = Spoolkit->start(
	vars => { map { uc($_) => $mx->port($_) } qw(down grey no) },
	conf => <<'END');
queue ttl 2h
accept from any for domain "down.test" relay via "smtp://127.0.0.1:%DOWN%"
accept from any for domain "grey.test" relay via "smtp://127.0.0.1:%GREY%"
accept from any for domain "no.test" relay via "smtp://127.0.0.1:%NO%"
accept from any for domain "shop.example" users any \
	deliver to maildir "%DIR%/mail/%{user}"
END

sub attempts {
	my ($host) = @_;
	return scalar grep { /^RCPT/i } $mx->commands($host);
}

sub envelope {
	my ($rcpt) = @_;
	my ($e) = grep { ($_->{recipient} // $_->{rcpt} // '') eq $rcpt }
	    $d->queue;
	return $e || {};
}

# Sets the clock and waits for the attempt of that number to be over.
sub attempt_at {
	my ($shift, $n, $rcpt) = @_;
	$d->clock($shift);
	return $d->wait(sub {
		attempts('down') >= $n && (envelope($rcpt)->{tries} // 0) >= $n
	}, 15);
}

my $rcpt = 'ann@down.test';
like $d->send('news@shop.example', $rcpt, "Subject: later\n\nhello\n"),
    qr/^250 /, 'mail for a host that defers is taken';
ok attempt_at(0, 1, $rcpt), 'it is tried at once';
is attempts('down'), 1, 'and once';

# Steps of the row: at 400, 1600 and 3600 seconds, and not a while before.
my $n = 1;
for my $step (400, 1600, 3600) {
	$d->clock($step - 60);
	# A turn of the scheduler under the new clock has passed when mail that
	# came after it was tried.
	my $mark = "mark$n\@no.test";
	$d->send('news@shop.example', $mark, "Subject: mark\n\nx\n");
	$d->wait(sub { attempts('no') >= $n }, 10);
	is attempts('down'), $n, "no attempt at $step - 60 seconds";
	ok attempt_at($step + 2, ++$n, $rcpt), "attempt $n at $step seconds";
}
is attempts('down'), 4, 'four attempts, no more';

# The last one is at the end of its life.
$d->clock(7200 + 5);
sub bounces {
	return grep { /^Final-Recipient:.*down\.test/mi } $d->maildir('news');
}
ok $d->wait(sub { scalar bounces() }, 20), 'expiry makes a bounce';
is attempts('down'), 5, 'the last attempt was made at the end';
my ($bounce) = bounces();
like $bounce // '', qr/^Return-Path: <>/mi, 'from the null sender';
like $bounce // '', qr/^Status: (?:4|5)\.\d+\.\d+/m, 'with a status';
like $bounce // '', qr/come back later/, 'and the reply of the host';

# What was refused for good came back at once.
my @refused = grep { /no such user here/ } $d->maildir('news');
is scalar(@refused), 3, 'one bounce for each refused message';

# Greylisting: the second attempt succeeds.
$d->clock(10000);
like $d->send('news@shop.example', 'bob@grey.test', "Subject: g\n\nhi\n"),
    qr/^250 /, 'mail for a greylisting host';
ok $d->wait(sub { (envelope('bob@grey.test')->{tries} // 0) == 1 }, 10),
    'is deferred';
$d->clock(10000 + 402);
ok $d->wait(sub { scalar grep { @{$_->{rcpts}} } $mx->messages('grey') }, 15),
    'and delivered 400 s later';
ok $d->wait(sub { $d->queue == 0 }, 10), 'the queue is empty';
$d->stop;
done_testing;
