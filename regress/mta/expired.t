#!/usr/bin/perl
# The time of mail is up also while its route may not be used: it is not tried
# once more then, and goes back.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(away => { connect => { reply => '421 4.3.2 away',
	drop => 1 } });
my $d = Spoolkit->start(
	vars => { AWAY => $mx->port('away') },
	conf => <<'END');
queue ttl 2h
accept from any for domain "away.test" relay via "smtp://127.0.0.1:%AWAY%"
accept from any for domain "shop.example" users any \
	deliver to maildir "%DIR%/mail/%{user}"
END

sub of {
	my ($rcpt) = @_;
	my ($e) = grep { $_->{rcpt} eq "$rcpt\@away.test" } $d->queue;
	return $e;
}

$d->send('news@shop.example', 'old@away.test', "Subject: o\n\nx\n");
ok $d->wait(sub { (of('old') || {})->{tries} }), 'it was tried';
is +($d->ctl('pause', 'envelope', of('old')->{evpid}))[0], 0, 'and is held';

# Hours later another attempt fails: the route is put aside.
$d->clock(3 * 3600);
$d->send('news@shop.example', 'new@away.test', "Subject: n\n\nx\n");
ok $d->wait(sub { (of('new') || {})->{tries} }), 'another is tried';
is scalar($d->maildir('news')), 0, 'what is held does not expire';
is of('old')->{state}, 'held', 'but stays';
is +($d->ctl('resume', 'envelope', of('old')->{evpid}))[0], 0,
    'it is released';
ok $d->wait(sub { $d->maildir('news') == 1 }, 60), 'and goes back';
my ($bounce) = $d->maildir('news');
like $bounce, qr/^Final-Recipient:.*old\@away\.test/m, 'that one';
like $bounce, qr/away/, 'with what kept it';
my @sessions = $mx->sessions('away');
cmp_ok scalar(@sessions), '<=', 2, 'without another attempt';
ok of('new'), 'the other waits';
$d->stop;
done_testing;
