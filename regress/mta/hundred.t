#!/usr/bin/perl
# Many messages by one connection, and a new one after so many.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(one => {});
my $d = Spoolkit->start(vars => { ONE => $mx->port('one') },
	conf => <<'END');
limit mta max-connections-per-route 1
accept from any for any relay via "smtp://127.0.0.1:%ONE%"
END

my $c = $d->session;
$c->command('EHLO x');
for (1 .. 150) {
	my ($code) = $c->message('ann@here.example', ["u$_\@one.example"],
	    "Subject: $_\n\nx\n");
	fail "message $_: $code" if $code != 250;
}
ok $d->wait(sub { $mx->messages('one') >= 150 }, 60), 'all arrive';
my %load;
$load{ $_->{session} }++ for $mx->messages('one');
is join(' ', sort { $b <=> $a } values %load), '100 50',
    'a hundred by one connection, the rest by a second';
is $mx->peak('one'), 1, 'one at a time';
is scalar($d->logged(qr/event=deferred/)), 0, 'nothing is deferred';
$c->close;
$d->stop;
done_testing;
