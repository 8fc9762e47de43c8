#!/usr/bin/perl
# Caps per client and in all, sizes, hops, recipients; the fields that are
# added; and 452 when the disk reserve is reached.
use strict;
use warnings;

use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
max-sessions 8 per-client 5
max-message-size 10000
max-recipients 3
listen on 127.0.0.1 port %PORT% hostname in.test.example
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/%{user}"
END

# From another address of loopback.
sub from_address {
	my ($address) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $d->port, LocalAddr => $address, Proto => 'tcp',
		Timeout => 60) or return;
	binmode $s;
	$s->autoflush(1);
	return bless { sock => $s, in => '', timeout => 60 },
	    'Spoolkit::Client';
}

my @five = map { $d->session } 1 .. 5;
my $c = Spoolkit::Client->connect($d->port, 60);
my ($code, $text) = $c->reply;
like $text, qr/^421 4\.7\.0 /, 'the sixth session of a client gets a reply';
ok $c->closed, 'and is closed';
my @other = map { from_address('127.0.0.2') } 1 .. 3;
is join(' ', map { ($_->reply)[0] } @other), '220 220 220',
    'another client is let in';
$c = from_address('127.0.0.3');
like +($c->reply)[1], qr/^421 4\.3\.2 /, 'nine in all are too many';
$five[0]->command('QUIT');
$_->close for @five, @other;
ok $d->wait(sub {
	my $n = Spoolkit::Client->connect($d->port, 60) or return 0;
	return ($n->reply)[0] == 220;
}, 5), 'there is room again';

sub message {
	my ($body, @to) = @_;
	return $d->send('a@b.example', [@to ? @to : 'ann@example.org'], $body);
}

like message('x' x 9996), qr/^250/, 'a message of almost the maximum';
my $most = ('x' x 98 . "\n") x 100;
like message($most), qr/^250/, 'of the maximum';
like message("$most\n"), qr/^552 5\.3\.4/,
    'of more than that';
like message("Received: x\n" x 100 . "\nb\n"), qr/^250/, '100 hops';
like message("Received: x\n" x 101 . "\nb\n"), qr/^550 5\.4\.6/, '101 hops';
like message("R: x\n\n" . "Received: x\n" x 200), qr/^250/,
    'only the header counts';

# Trace and added fields.
my $reply = message("Subject: fields\n\nbody\n", 'zoe@example.org');
my ($id) = $reply =~ /^250 2\.0\.0 ([0-9a-f]{12}) message accepted/;
ok $id, 'the reply names the message';
ok $d->wait(sub { $d->maildir('zoe') }, 10), 'delivered';
my ($mail) = map { s/\r//gr } $d->maildir('zoe');
like $mail, qr/^Received:\ from\ client\.test\ \(\[127\.0\.0\.1\]\)\n
    \tby\ in\.test\.example\ \(Spoolkit\)\ with\ ESMTP\ id\ $id\n
    \tfor\ <zoe\@example\.org>;\n
    \t(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat),\ \d+\ [A-Z][a-z]{2}\ \d{4}\ 
    \d\d:\d\d:\d\d\ \+0000\n/mx, 'Received field';
like $mail, qr/^Date: \w{3}, \d+ \w{3} \d{4} [\d:]{8} \+0000$/m, 'Date added';
like $mail, qr/^Message-Id: <\S+\@in\.test\.example>$/m, 'Message-Id added';
is scalar(() = $mail =~ /^Date:/mg), 1, 'once';

message("Date: d\nMessage-ID: <m\@x>\n\nb\n", 'yves@example.org');
ok $d->wait(sub { $d->maildir('yves') }, 10), 'delivered';
($mail) = $d->maildir('yves');
is scalar(() = $mail =~ /^(?:Date|Message-ID):/mgi), 2, 'nothing added';

message("Subject: two\n\nb\n", 'uma@example.org', 'ute@example.org');
ok $d->wait(sub { $d->maildir('uma') && $d->maildir('ute') }, 10),
    'delivered to two';
($mail) = $d->maildir('uma');
unlike $mail, qr/ute/, 'no recipient is told of the other';

# Paused: who is inside goes on, who comes is sent away.
my $inside = $d->session;
$inside->command('EHLO inside.test');
is +($d->ctl('pause', 'smtp'))[0], 0, 'pause smtp';
ok $d->wait_log(qr/smtp\[\d+\]: event=paused/, 5), 'smtp is paused';
my $late = Spoolkit::Client->connect($d->port, 60);
($code) = $inside->message('a@b.example', ['tom@example.org'], "x\n");
is $code, 250, 'a session under way goes on';
is_deeply [$late->reply(60)], [421, '421 4.3.2 Not taking mail now'],
    'a new one is told so';
$_->close for $inside, $late;
is +($d->ctl('resume', 'smtp'))[0], 0, 'resume smtp';
ok $d->wait(sub {
	my $c = Spoolkit::Client->connect($d->port, 60);
	return ($c->reply(60))[0] == 220;
}, 5), 'and whoever comes then is let in';

# The log has the life of a session.
ok $d->wait_log(qr/session=[0-9a-f]{8} event=connected from=\[127/, 5),
    'logged: connected';
ok $d->wait_log(qr/session=[0-9a-f]{8} msgid=$id event=accepted from=<a\@b/, 5),
    'logged: accepted';
ok $d->wait_log(qr/session=[0-9a-f]{8} event=disconnected reason=quit/, 5),
    'logged: disconnected';

$d->stop;

# A reserve that the disk does not have: mail is refused, the session goes on.
my ($used) = `df -P /tmp` =~ /\s(\d+)%/;
SKIP: {
	skip 'the disk is nearly empty', 5 if ($used // 0) < 12;
	my $full = Spoolkit->start(conf => <<'END');
queue reserve 90%
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/%{user}"
END
	my @codes;

	$c = $full->session;
	$c->command('EHLO x');
	for ('MAIL FROM:<a@b.example>', 'RCPT TO:<ann@example.org>') {
		push @codes, ($c->command($_))[1];
		last if $codes[-1] =~ /^4/;
	}
	like $codes[-1], qr/^452 4\.3\.1 /, '452 below the reserve';
	is +($c->command('NOOP'))[0], 250, 'the session goes on';
	is +($c->command('RSET'))[0], 250, 'RSET';
	like +($c->command('MAIL FROM:<a@b.example>'))[1],
	    qr/^452 4\.3\.1 /, 'then at MAIL';
	$full->stop;
}
done_testing;
