#!/usr/bin/perl
# Clients that others wrote: curl, swaks, Python's smtplib, Net::SMTP.
use strict;
use warnings;

use Net::SMTP;
use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/%{user}"
END
my $port = $d->port;
my $mail = $d->dir . '/letter';
my $body = "line\n.\n..dots\n" . 'long ' x 100 . "\n";

open(my $f, '>', $mail) or die;
print $f "From: a\@shop.example\nSubject: letter\n\n$body";
close $f;

sub delivered {
	my ($who, $name) = @_;

	ok $d->wait(sub { $d->maildir($who) == 1 }, 15), "$name: delivered"
	    or return;
	my ($got) = map { s/\r//gr } $d->maildir($who);
	$got =~ s/\n+\z/\n/;
	like $got, qr/\n\n\Q$body\E\z/, "$name: the text";
}

sub has {
	my ($program) = @_;
	return !system "command -v $program >/dev/null 2>&1";
}

SKIP: {
	skip 'no curl', 3 unless has('curl');
	# curl wants CRLF in what it reads.
	system "sed 's/\$/\\r/' $mail >$mail.crlf";
	is system('curl', '-sS', '--url', "smtp://127.0.0.1:$port/client.test",
		'--mail-from', 'a@shop.example', '--mail-rcpt',
		'curl@example.org', '-T', "$mail.crlf"), 0, 'curl: exit';
	delivered('curl', 'curl');
}
SKIP: {
	skip 'no swaks', 5 unless has('swaks');
	is system("swaks -s 127.0.0.1 -p $port -f a\@shop.example " .
		"-t swaks\@example.org --helo client.test -d \@$mail " .
		">$mail.swaks 2>&1"), 0, 'swaks: exit';
	delivered('swaks', 'swaks');
	is system("swaks -s 127.0.0.1 -p $port -f a\@shop.example " .
		"-t pipe\@example.org --helo client.test --pipeline " .
		"-d \@$mail >$mail.swaks 2>&1"), 0, 'swaks --pipeline: exit';
	delivered('pipe', 'swaks --pipeline');
}
SKIP: {
	skip 'no python3', 3 unless has('python3');
	my $script = <<'END';
import smtplib, sys
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'client.test')
s.ehlo()
assert s.has_extn('pipelining') and s.has_extn('8bitmime')
assert int(s.esmtp_features['size']) > 0
assert s.noop()[0] == 250 and s.help()
assert s.verify('ann')[0] == 252
try:
    s.sendmail('a@shop.example', ['ann@elsewhere.example'], 'x')
    sys.exit(2)
except smtplib.SMTPRecipientsRefused:
    pass
s.sendmail('a@shop.example', ['python@example.org'],
           open(sys.argv[2]).read(), mail_options=['BODY=8BITMIME'])
s.quit()
END
	is system('python3', '-c', $script, $port, $mail), 0,
	    'smtplib: the script';
	delivered('python', 'smtplib');
}
my $s = Net::SMTP->new('127.0.0.1', Port => $port, Hello => 'client.test',
	Timeout => 20);
ok $s, 'Net::SMTP: connected';
ok $s->mail('a@shop.example'), 'mail';
ok $s->to('perl@example.org'), 'to';
open($f, '<', $mail) or die;
ok $s->data(<$f>), 'data';
like scalar($s->message), qr/message accepted/, 'the reply';
ok $s->quit, 'quit';
delivered('perl', 'Net::SMTP');
$d->stop;
done_testing;
