#!/usr/bin/perl
# Random octets, random commands, and random cuts of good sessions: the daemon
# answers or hangs up, stays as it is, and takes nothing that was not sent
# whole.
use strict;
use warnings;

use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
idle-timeout 20s
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/ann"
END
my $pids = $d->role_pids;
srand 42;

sub throw {
	my ($octets) = @_;
	my $c = Spoolkit::Client->connect($d->port, 60) or return '';

	$c->raw($octets);
	shutdown $c->sock, 1;
	my $ended = $c->closed;
	my $in = $c->{in};
	$c->close;
	return $ended ? $in : "hangs: $in";
}

my $bad = 0;
for (1 .. 60) {
	my $in = throw(join '', map { chr int rand 256 } 1 .. int rand 5000);
	$bad++ if $in !~ /^220 / || $in =~ /[^\x20-\x7e\r\n]/;
}
is $bad, 0, 'random octets: replies are printable';

my @words = ('EHLO', 'HELO x', 'MAIL FROM:', '<a@b.example>', '<>', ' ',
	'RCPT TO:', '<ann@example.org>', 'DATA', "\r\n", "\r\n", "\r\n", "\n",
	"\r", '.', "\0", 'SIZE=9', 'BODY=', '=', '"', '\\', 'x' x 600, 'RSET',
	'NOOP', 'QUIT', 'VRFY', "\xff", '<', '>', '@', '[', 'HELP');
$bad = 0;
for (1 .. 60) {
	my $in = throw(join '', map { $words[rand @words] } 1 .. 200);
	$bad++ if $in !~ /^220 / || $in =~ /[^\x20-\x7e\r\n]/;
}
is $bad, 0, 'random words: replies are printable';

my $good = join "\r\n", 'EHLO x', 'MAIL FROM:<>', 'RCPT TO:<ann@example.org>',
    'DATA', 'Subject: y', '', 'text', '.', '';
my $accepted = $d->logged(qr/event=accepted/);
for my $n (0 .. length $good) {
	throw(substr $good, 0, $n);
}
is scalar($d->logged(qr/event=accepted/)), $accepted + 1,
    'of all beginnings of a session only the whole one counts';

# One octet is changed: the reply is there, and never two messages.
my $messages = 0;
for (1 .. 100) {
	my $text = $good;
	substr($text, rand length $text, 1) = chr int rand 256;
	my $in = throw("${text}QUIT\r\n");
	my $n = () = $in =~ /message accepted/g;
	$messages++ if $n > 1;
}
is $messages, 0, 'no octet makes two messages of one';
is_deeply $d->role_pids, $pids, 'no role has died';
my @odd = grep { /[^\x20-\x7e]/ } $d->log;
is scalar(@odd), 0, 'the log is printable' or diag $odd[0];
$d->stop;
done_testing;
