#!/usr/bin/perl
# Clients that stall, flood or send garbage never stop another one.
use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_LINGER);
use Spoolkit;
use Test::More;
use Time::HiRes qw(time);

my $d = Spoolkit->start(conf => <<'END');
idle-timeout 12s
max-sessions 400 per-client 300
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/ann"
END

# Those who stall stay for twelve seconds: below that nobody waited for them.
my $sent = 0;
sub one_passes {
	my ($while) = @_;
	my $start = time;
	my $limit = 10;
	my $reply = $d->send('a@shop.example', 'ann@example.org',
		"Subject: x\n\ntext\n", timeout => $limit);
	my $took = time - $start;

	$sent++ if $reply =~ /^250/;
	ok $reply =~ /^250/ && $took < $limit,
	    sprintf('%s: a message passes in %.3f s', $while, $took);
}

one_passes('alone');

# Half dead in every way one can be.
my $half = join "\r\n", 'EHLO x', 'MAIL FROM:<>', 'RCPT TO:<ann@example.org>',
    'DATA', 'Subject: half', '', 'te';
my @dead;
for my $n (0 .. 49) {
	my $c = Spoolkit::Client->connect($d->port, 60) or die;
	$c->raw(substr $half, 0, int(length($half) * $n / 49));
	push @dead, $c;
}
one_passes('50 hang');

# They are told to go when their time is over, each with a reply.
my $told = 0;
for my $c (@dead) {
	my $last = '';
	while (my ($code, $text) = $c->reply(60)) {
		last unless $code;
		$last = $code;
	}
	$told++ if $last eq '421';
	$c->close;
}
is $told, 50, 'all 50 got a 421';
ok $d->wait(sub { $d->logged(qr/reason=(?:idle|slow)/) == 50 }, 10),
    'and are logged';

# Dribblers: an octet at a time, for as long as it takes.
my @dribble = map { Spoolkit::Client->connect($d->port, 60) } 1 .. 30;
# Deaf ones: they ask and never listen.
my @deaf = map { Spoolkit::Client->connect($d->port, 60) } 1 .. 10;
for my $c (@deaf) {
	$c->sock->blocking(0);
	for (1 .. 50) {
		last unless syswrite $c->sock, "HELP\r\n" x 1000;
	}
}
# Floods: lines without end, commands without sense, text without end.
my @flood = map { Spoolkit::Client->connect($d->port, 60) } 1 .. 10;
$_->sock->blocking(0) for @flood;
my $flood_line = 'x' x 65536;
my $begun = time;
my $passed = 0;
while (time < $begun + 3 || ($passed < 5 && time < $begun + 60)) {
	{
		local $SIG{PIPE} = 'IGNORE';
		syswrite $_->sock, 'N' for @dribble;
		syswrite $_->sock, $flood_line for @flood;
	}
	my $start = time;
	my $reply = $d->send('a@shop.example', 'ann@example.org',
		"Subject: x\n\ntext\n", timeout => 10);
	$sent++ if $reply =~ /^250/;
	$passed++ if $reply =~ /^250/ && time - $start < 10;
}
ok $passed >= 5, "$passed messages passed among dribble, deafness and flood";
$_->close for @dribble, @deaf, @flood;

# Sessions come and go without a word, and leave nothing.
my $smtp = $d->role_pids->{smtp};
sub descriptors { return scalar(() = glob "/proc/$smtp/fd/*") }
SKIP: {
	skip 'no /proc', 1 unless -r "/proc/$smtp/fd";
	$d->wait(sub { $d->logged(qr/event=connected/) ==
		    $d->logged(qr/event=disconnected/) }, 20);
	my $before = descriptors();
	for (1 .. 2000) {
		my $c = Spoolkit::Client->connect($d->port, 60) or next;
		$c->raw("EHLO x\r\n") if $_ % 2;
		$c->close;
	}
	ok $d->wait(sub { descriptors() <= $before }, 20),
	    "descriptors after 2000 sessions: $before before, " .
	    descriptors() . ' after';
}
one_passes('after 2000 silent ones');

# Reset in the middle of a text: nothing stays behind.
for (1 .. 30) {
	my $c = Spoolkit::Client->connect($d->port, 60) or next;
	$c->raw("$half\r\n" . 'x' x 20000);
	setsockopt $c->sock, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
	$c->close;
}
one_passes('after 30 resets');
ok $d->wait(sub { $d->maildir('ann') == $sent }, 20), 'all were delivered';
ok $d->wait(sub { $d->queue_files == 0 }, 10), 'the queue is empty';
is_deeply [glob($d->dir . '/spool/incoming/*')], [], 'incoming is empty';
$d->stop;
done_testing;
