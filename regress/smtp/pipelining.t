#!/usr/bin/perl
# Everything in one write, and in writes cut anywhere: the replies are the
# same, in order, and so are the messages.
use strict;
use warnings;

use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
table mine { ann, bob }
accept from any for domain "example.org" users <mine> \
    deliver to maildir "%DIR%/mail/%{user}"
END

my $talk = join "\r\n",
    'EHLO client.test',
    'MAIL FROM:<a@shop.example>',
    'RCPT TO:<nobody@example.org>',
    'RCPT TO:<ann@example.org>',
    'RCPT TO:<ann@example.org',
    'RCPT TO:<bob@example.org>',
    'DATA',
    'Subject: %N%', '', 'one', '..', '..two', '.',
    'NOOP',
    'MAIL FROM:<>', 'RCPT TO:<ann@elsewhere.example>', 'DATA',
    'RSET',
    'MAIL FROM:<>', 'RCPT TO:<ann@example.org>', 'DATA', '.',
    'QUIT', 'NOOP', '';
my $want = '220 250 250 550 250 501 250 354 250 250 250 550 554 250 ' .
    '250 250 354 250 221';
my $sent = 0;

# Replies as the codes of their last lines.
sub codes {
	my ($octets) = @_;
	return join ' ', map { /^(\d{3}) / ? $1 : () } split /\r\n/, $octets;
}

sub converse {
	my (@pieces) = @_;
	my $c = Spoolkit::Client->connect($d->port, 20) or die;

	for my $piece (@pieces) {
		$c->raw($piece);
		# Let the other side have it by itself, mostly.
		select(undef, undef, undef, 0.002) if @pieces > 1;
	}
	$c->closed or diag 'not closed';
	$sent++;
	return $c->{in};
}

sub numbered {
	my $text = $talk;
	my $n = $sent;

	$text =~ s/%N%/$n/;
	return $text;
}

is codes(converse(numbered())), $want, 'in one write';
my @lines = split /(?<=\r\n)/, numbered();
is codes(converse(@lines)), $want, 'line by line';
is codes(converse(split //, numbered())), $want, 'octet by octet';
is codes(converse(split /(?<=\r)/, numbered())), $want, 'cut at every CR';

srand 7;
my $bad = 0;
for (1 .. 20) {
	my $text = numbered();
	my @pieces;

	while (length $text) {
		push @pieces, substr $text, 0, 1 + int(rand 60), '';
	}
	my $got = codes(converse(@pieces));
	next if $got eq $want;
	diag $got;
	$bad++;
}
is $bad, 0, 'cut at random';

# A client that closes its side once it has said everything still hears.
my $c = Spoolkit::Client->connect($d->port, 20);
$c->raw(numbered());
shutdown $c->sock, 1;
ok $c->closed, 'half closed: ends';
is codes($c->{in}), $want, 'half closed: all replies';
$sent++;

ok $d->wait(sub { $d->maildir('ann') == 2 * $sent }, 20), 'ann has all'
    or diag scalar($d->maildir('ann'));
ok $d->wait(sub { $d->maildir('bob') == $sent }, 20), 'bob has all';
my @wrong = grep { !/\n\none\n\.\n\.two\n\z/ } map { s/\r//gr } $d->maildir('bob');
is scalar(@wrong), 0, 'the text is what was sent';
my %subjects = map { /^Subject: (\d+)/m ? ($1 => 1) : () } $d->maildir('bob');
is scalar(keys %subjects), $sent, 'each message once';

# Replies to a pipelined group come in few segments: one read has many.
$c = $d->session;
$c->command('EHLO x');
$c->raw("NOOP\r\n" x 50);
$c->reply;
ok length($c->{in}) > 40 * 10, 'replies are gathered';
$c->close;

# Two thousand commands at once are all answered (and no more than is allowed
# without a message).
$c = $d->session;
$c->command('EHLO x');
$c->raw("MAIL FROM:<>\r\nRSET\r\n" x 450);
my $n = 0;
$n++ while $n < 900 && ($c->reply)[0];
is $n, 900, 'nine hundred replies';
$c->close;
$d->stop;
done_testing;
