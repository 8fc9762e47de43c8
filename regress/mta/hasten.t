#!/usr/bin/perl
# A host that was away for hours: one success, and what waited for it goes at
# once; what the host itself put off keeps its time.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use FakeMX;
use Spoolkit;

my $N = 150;
my $dir = tempdir(CLEANUP => 1);
my $up = "$dir/up";
my $mx = FakeMX->start(
	gone => {
		connect => sub {
			return -e "$dir/gone" ? '220 back.example ESMTP'
			    : { reply => '421 4.3.2 gone', drop => 1 };
		},
	},
	away => {
		connect => sub {
			# Slow to say so: all that is due has come by then,
			# and is tried with the attempt.
			return -e $up ? '220 back.example ESMTP'
			    : { delay => 2, reply => '421 4.3.2 away',
				drop => 1 };
		},
		RCPT => sub {
			my (undef, $line) = @_;
			return $line =~ /shy/ ? '451 4.7.1 come back later'
			    : '250 2.1.5 ok';
		},
	});
my $d = Spoolkit->start(
	vars => { AWAY => $mx->port('away'), GONE => $mx->port('gone') },
	conf => <<'END');
queue ttl 4d
accept from any for domain "away.test" relay via "smtp://127.0.0.1:%AWAY%"
accept from any for domain "gone.test" relay via "smtp://127.0.0.1:%GONE%"
END

sub delivered {
	return scalar map { @{$_->{rcpts}} } $mx->messages('away');
}

sub waiting {
	return scalar grep { $_->{state} eq 'deferred' } $d->queue;
}

for my $i (1 .. $N) {
	$d->send('a@shop.example', "u$i\@away.test", "Subject: $i\n\nx\n");
}
ok $d->wait(sub { waiting() == $N }, 60), 'all wait for a host that is away';
is delivered(), 0, 'none was taken';
my @excused = grep { /421 4\.3\.2 away|put aside|:\d+/ }
    map { $_->{error}{text} // '' } $d->queue;
is scalar(@excused), $N, 'each says what it waits for';

# Two hours later it is still away: the next time is far.
my $shift = 7200;
$d->clock($shift);
# (Who was not there in time for the attempt waits for the route alone.)
sub far {
	return grep { $_->{state} eq 'deferred'
	    && $_->{next_try} > $d->now + 600 } $d->queue;
}
ok $d->wait(sub {
	my @later = grep { $_->{state} eq 'deferred'
	    && $_->{next_try} > $d->now } $d->queue;
	return @later == $N && far() >= 20;
}, 60), 'and wait again, some for long';

# It comes back. Mail that comes when its route may be used again gets through,
# long before the time of the others.
Spoolkit::spew($up, '');
$d->clock($shift += 300);
cmp_ok scalar(far()), '>=', 20, 'their time is far';
$d->send('a@shop.example', 'fresh@away.test', "Subject: f\n\nx\n");
ok $d->wait(sub { delivered() > 0 }, 60), 'one gets through';
ok $d->wait(sub { delivered() == $N + 1 }, 60),
    'and with it all that waited, without a step of the clock'
    or diag explain [$d->logged(qr/event=route/)];

# What the host puts off itself is not hastened.
$d->send('a@shop.example', 'shy@away.test', "Subject: s\n\nx\n");
ok $d->wait(sub { grep { $_->{tries} == 1 } $d->queue }, 60),
    'one is put off by the host';
for my $i (1 .. 3) {
	$d->send('a@shop.example', "more$i\@away.test", "Subject: m\n\nx\n");
	$d->wait(sub { delivered() == $N + 1 + $i }, 60);
}
is delivered(), $N + 4, 'others are taken';
my ($shy) = $d->queue;
is $shy->{tries}, 1, 'and it was not tried again';
cmp_ok $shy->{next_try}, '>', $d->now, 'before its time';

# An operator who knows that it is back need not wait for its route.
for my $i (1 .. 3) {
	$d->send('a@shop.example', "g$i\@gone.test", "Subject: g\n\nx\n");
}
ok $d->wait(sub {
	return 3 == grep { $_->{state} eq 'deferred'
	    && $_->{next_try} > $d->now && $_->{rcpt} =~ /gone/ } $d->queue;
}, 60), 'three wait for another host';
Spoolkit::spew("$dir/gone", '');
is +($d->ctl(qw(resume route all)))[0], 0, 'all routes may be used again';
ok $d->wait(sub { $mx->messages('gone') == 3 }, 60),
    'and what waited for them goes at once';
$d->stop;
done_testing;
