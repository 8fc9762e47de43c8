# Thirty recipients that a remote host refuses come back as one bounce, which
# names the host and repeats its words; one more is delivered all the same.
use strict;
use warnings;
use Email::MIME;
use FakeMX;
use Spoolkit;
use Test::More;

my $mx = FakeMX->start(far => {
	RCPT => [ ('550 5.1.1 nobody of that name here') x 30, '250 ok' ],
});
my $d = Spoolkit->start(conf => <<"END");
accept from any for local users any deliver to maildir "%DIR%/mail/%{user}"
accept from any for domain "far.example" \\
    relay via "smtp://127.0.0.1:${\ $mx->port('far')}"
END

my @to = map { "u$_\@far.example" } 1 .. 31;
my $reply = $d->send('bob@localhost', \@to,
    "From: bob\@localhost\nSubject: round letter\n\nsecret body\n");
like $reply, qr/^250 /, 'taken';
my ($id) = $reply =~ /([0-9a-f]{12})/;

ok $d->wait(sub { $d->maildir('bob') > 0 }, 20), 'a bounce comes';
my @bounces = $d->maildir('bob');
is @bounces, 1, 'one';
my $mail = Email::MIME->new($bounces[0]);
like $mail->header('Return-Path'), qr/^<>$/, 'with the null reverse-path';
like $mail->content_type, qr{^multipart/report.*delivery-status}s, 'a report';
my ($text, $status, $header) = map { $_->body } $mail->subparts;

is scalar(() = $status =~ /^Final-Recipient: rfc822; u\d+\@far\.example\r?$/mg),
    30, 'of thirty recipients';
unlike $status, qr/u31\@/, 'and not of the one that was taken';
is scalar(() = $status =~ /^Status: 5\.1\.1\r?$/mg), 30, 'each 5.1.1';
like $status, qr/^Remote-MTA: dns; .*127\.0\.0\.1/m, 'by that host';
like $status, qr/^Diagnostic-Code: smtp; 550 5\.1\.1 nobody of that name/m,
    'in its words';
like $header, qr/^Subject: round letter/m, 'the header comes back';
unlike $bounces[0], qr/secret body/, 'the body does not';
like $text, qr/nobody of that name here/, 'people read it, too';

ok $d->wait(sub { !$d->queue }, 10), 'nothing is left in the queue';
is scalar($mx->messages('far')), 1, 'the thirty-first was delivered';
ok $d->logged(qr/event=bounce original=$id failures=30/), 'the log joins them';
$d->stop;
done_testing;
