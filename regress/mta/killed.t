#!/usr/bin/perl
# kill -9 of the mta amid 1,000 transactions: nothing is lost, and no more comes
# twice than was in flight.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $N = 1000;
my $AT_ONCE = 5; # connections of a route
my $mx = FakeMX->start(sink => { DOT => { reply => '250 2.0.0 taken',
	delay => 0.01 } });
my $d = Spoolkit->start(
	vars => { SINK => $mx->port('sink') },
	conf => <<"END");
limit mta max-connections-per-route $AT_ONCE
accept from any for domain "sink.test" relay via "smtp://127.0.0.1:%SINK%"
END

# What was taken, without the octets of it.
sub taken {
	return Spoolkit::slurp($mx->dir . '/messages') =~ tr/\n//;
}

is +($d->ctl('pause', 'mta'))[0], 0, 'mail waits';
my $c = $d->session;
$c->command('EHLO client.test');
my $accepted = 0;
for my $i (1 .. $N) {
	my ($code) = $c->message('a@shop.example', ["u$i\@sink.test"],
		"Subject: $i\n\nx\n");
	$accepted++ if $code == 250;
}
$c->close;
is $accepted, $N, 'all are accepted';
is +($d->ctl('resume', 'mta'))[0], 0, 'and go';

my $kills = 0;
for my $at ($N / 5, $N / 2) {
	$d->wait(sub { taken() >= $at }, 60) or last;
	my $pid = $d->role_pids->{mta};
	$d->kill9('mta') and $kills++;
	ok $d->wait(sub {
		my $now = $d->role_pids->{mta};
		return $now && $now != $pid;
	}, 60), 'the mta is there again';
}
is $kills, 2, 'it was killed twice';

sub arrived {
	my %n;
	$n{$_}++ for map { @{$_->{rcpts}} } $mx->messages('sink');
	return \%n;
}

ok $d->wait(sub { taken() >= $N && $d->queue == 0 }, 120),
    'the queue gets empty';
my $n = arrived();
is scalar(keys %$n), $N, 'nothing is lost';
my $twice = 0;
$twice += $_ - 1 for values %$n;
cmp_ok $twice, '<=', $kills * $AT_ONCE,
    "$twice came twice, no more than were in flight";
is scalar(grep { $_ > 1 + $kills } values %$n), 0, 'none at each attempt anew';
$d->stop;
done_testing;
