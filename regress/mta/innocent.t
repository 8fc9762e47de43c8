#!/usr/bin/perl
# A host that puts off every recipient: after some the rest is not tried at all
# and due again at a time of its own; those put off wait one step longer.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $N = 80;
my $MOST = 25;
my $mx = FakeMX->start(grey => { RCPT => '451 4.7.1 greylisted' });
my $d = Spoolkit->start(
	vars => { GREY => $mx->port('grey') },
	conf => <<"END");
limit mta rejects-in-a-row $MOST
accept from any for domain "grey.test" relay via "smtp://127.0.0.1:%GREY%"
END

$d->ctl('pause', 'mta');
for my $i (1 .. $N) {
	$d->send('a@shop.example', "u$i\@grey.test", "Subject: $i\n\nx\n");
}
my $from = $d->now;
$d->ctl('resume', 'mta');
ok $d->wait(sub {
	return $N == grep { $_->{state} eq 'deferred' } $d->queue;
}, 60), 'all wait';
my $to = $d->now;
my $rcpts = grep { /^RCPT/i } $mx->commands('grey');
my @tried = grep { $_->{tries} == 1 } $d->queue;
my @innocent = grep { $_->{tries} == 0 } $d->queue;
cmp_ok $rcpts, '>=', $MOST, 'so many are put off in a row';
cmp_ok $rcpts, '<', $N, "and not all: $rcpts";
is scalar(@tried), $rcpts, 'each of these counts a try';
is scalar(@innocent), $N - $rcpts, 'and the others none';
is scalar(grep { $_->{next_try} != $_->{arrival_time} + 1600
    && $_->{next_try} != $_->{arrival_time} + 400 } @tried), 0,
    'those are tried at a time of the row';
cmp_ok scalar(grep { $_->{next_try} == $_->{arrival_time} + 1600 } @tried),
    '>=', $MOST, 'one step later than usual';
is scalar(grep { $_->{next_try} < $from + 399 || $_->{next_try} > $to + 400 + 45 }
    @innocent), 0, 'the others after 400 seconds'
    or diag "from $from to $to", explain [map { $_->{next_try} } @innocent];
is scalar(grep { ($_->{error}{text} // '') =~ /\br\d+\b.*until \d{4}-/ }
    @innocent), scalar(@innocent), 'and say which route they wait for'
    or diag explain $innocent[0];
is scalar(grep { ($_->{error}{text} // '') =~ /greylisted/ } @tried),
    scalar(@tried), 'where the tried ones have the words of the host';
$d->stop;
done_testing;
