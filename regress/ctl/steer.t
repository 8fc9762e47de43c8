#!/usr/bin/perl
# Steering the queue of a running daemon: hold, release, schedule, remove.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(down => { RCPT => ['451 4.7.1 come back later'] });
my $d = Spoolkit->start(vars => { MX => $mx->port('down') }, conf => <<'END');
accept from any for domain "down.test" relay via "smtp://127.0.0.1:%MX%"
accept from any for domain "here.test" users any \
	deliver to maildir "%DIR%/mail/%{user}"
END

sub attempts {
	return scalar grep { /^RCPT/ } $mx->commands('down');
}

# A message, deferred by its first attempt. Returns its id.
sub deferred {
	my @rcpts = @_;
	my $reply = $d->send('news@shop.example', \@rcpts,
		"Subject: x\n\nhello\n");
	my ($id) = $reply =~ /^250 \S+ ([0-9a-f]{12})\b/;

	die "not taken: $reply\n" unless $id;
	$d->wait(sub {
		@rcpts == grep { $_->{evpid} =~ /^$id/ && $_->{tries} == 1 }
		    $d->queue
	}, 10) or die "not deferred\n";
	return $id;
}

sub state_of {
	my ($id) = @_;
	return join ',', map { $_->{state} }
	    sort { $a->{evpid} cmp $b->{evpid} }
	    grep { $_->{evpid} =~ /^$id/ } $d->queue;
}

sub ctl_is {
	my ($want, $words, $name) = @_;
	my ($exit, $out, $err) = $d->ctl(@$words);

	is $exit, $want, $name or diag "$out$err";
	return "$out$err";
}

my $one = deferred('ann@down.test');
my $two = deferred('bob@down.test', 'cat@down.test');

# By an envelope's and by a message's id.
ctl_is 0, ['pause', 'envelope', "${one}0001"], 'one envelope is held';
is state_of($one), 'held', 'and listed so';
ctl_is 0, ['pause', 'envelope', $two], 'a message is held';
is state_of($two), 'held,held', 'with all its envelopes';
ctl_is 0, ['schedule', "${one}0001"], 'one that is held is scheduled';
is state_of($one), 'held', 'and stays held';
my $before = attempts();
ctl_is 0, ['resume', 'envelope', "${two}0002"], 'one of the two goes on';
ctl_is 0, ['schedule', "${two}0002"], 'and is due now';
ok $d->wait(sub { attempts() == $before + 1 }, 10), 'it is tried at once';

# A hold is in the spool, not in a memory.
$d->kill9;
$d->run;
ok $d->wait(sub { $d->queue == 3 }, 10), 'all are there after kill -9';
is state_of($one), 'held', 'still held';
like state_of($two), qr/^held,(?!held)/, 'one of the two still is not';

ctl_is 0, ['pause', 'envelope', $two], 'the message is held again';
$d->kill9;
$d->run;
ok $d->wait(sub { $d->queue == 3 }, 10), 'killed at once after that';
is state_of($two), 'held,held', 'it was meant as a whole';

ctl_is 0, [qw(resume envelope all)], 'all are released';
$before = attempts();
ctl_is 0, [qw(schedule all)], 'all are due now';
ok $d->wait(sub { attempts() >= $before + 3 }, 10), 'all are tried';

# Refusals.
like ctl_is(1, [qw(remove 0123456789ab0001)], 'an unknown id'),
    qr/no such envelope/, 'is said to be one';
ctl_is 1, [qw(pause envelope 0123456789ab)], 'an unknown message';

# All, and what comes later.
$d->wait(sub { 3 == grep { $_->{state} !~ /flight/ } $d->queue }, 10);
ctl_is 0, [qw(pause envelope all)], 'all are held';
is join(',', sort map { $_->{state} } $d->queue), 'held,held,held',
    'exactly those';
$before = attempts();
my $three = deferred('dan@down.test');
is attempts(), $before + 1, 'one that comes later is tried';

ctl_is 0, ['remove', "${one}0001"], 'one is removed';
is state_of($one), '', 'and is gone';
ctl_is 0, ['remove', $two], 'a message is removed';
is scalar($d->queue), 1, 'one is left';
ctl_is 0, [qw(remove all)], 'all are removed';
is scalar($d->queue), 0, 'none is left';
ctl_is 1, [qw(remove all)], 'of none nothing can be removed';
ok $d->wait(sub { $d->queue_files == 0 }, 10), 'no file is left';
$d->restart;
is scalar($d->queue), 0, 'nothing comes back';
is scalar($d->maildir('news')), 0, 'and nothing was bounced';

# Kinds.
ctl_is 0, [qw(pause mda)], 'local delivery is paused';
like $d->send('a@b.example', 'eve@here.test', "Subject: y\n\nx\n"),
    qr/^250 /, 'mail is taken meanwhile';
$before = attempts();
deferred('fay@down.test');
is attempts(), $before + 1, 'and relayed';
is scalar($d->maildir('eve')), 0, 'but not delivered';
ctl_is 0, [qw(resume mda)], 'local delivery goes on';
ok $d->wait(sub { scalar $d->maildir('eve') }, 10), 'and delivers';
$d->stop;
done_testing;
