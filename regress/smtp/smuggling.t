#!/usr/bin/perl
# The end-of-data variants of the smuggling research of 2023: a sequence that
# some server takes for the end of the text is sent inside of it, with a whole
# transaction behind. None may become a second message, and what is malformed
# is refused as a whole.
use strict;
use warnings;

use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
table mine { ann, admin }
accept from any for domain "example.org" users <mine> \
    deliver to maildir "%DIR%/mail/%{user}"
END

my %name = ("\r" => 'CR', "\n" => 'LF', "\0" => 'NUL', '.' => '.',
	' ' => 'SP', "\t" => 'TAB');

sub name_of {
	my ($s) = @_;
	return join '', map { $name{$_} // $_ } split //, $s;
}

my @ends = ("\n", "\r", "\r\n", "\n\r", "\r\r\n", "\r\n\n", "\n\n", "\r\r",
	"\0\r\n", "\r\0\n", "\r\n\0", "\0\n", "\n\0");
my %seen = ("\r\n.\r\n" => 1);
my @variants;
for my $before (@ends) {
	for my $after (@ends) {
		push @variants, "$before.$after";
	}
}
push @variants, "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n.\r\0\n", "\r\n .\r\n",
    "\r\n. \r\n", "\r\n.\t\r\n", "\r\n..\r\n", "\r\n.\r", "\r\n.", "\n.\r\n\r",
    "\x85.\x85", "\r\n\xe2\x80\xa8.\r\n", "\r\n.;\r\n", "\x0b.\x0b",
    "\x0c.\x0c";

my ($clean, $refused) = (0, 0);
for my $v (grep { !$seen{$_}++ } @variants) {
	my $ends = $v =~ /\r\n\.\r\n/;
	my $c = $d->session(timeout => 60) or die;
	my $bare = $v =~ /(?<!\r)\n|\r(?!\n)|\0/;

	$c->command($_) for 'EHLO client.test', 'MAIL FROM:<a@shop.example>',
	    'RCPT TO:<ann@example.org>';
	my ($code) = $c->command('DATA');
	is $code, 354, name_of($v) . ': 354' or next;
	$c->raw("Subject: one\r\n\r\nlorem" . $v .
		"MAIL FROM:<admin\@example.org>\r\n" .
		"RCPT TO:<admin\@example.org>\r\nDATA\r\n" .
		"Subject: smuggled\r\n\r\nipsum\r\n.\r\nQUIT\r\n");
	($code) = $c->reply;
	my $closed = $c->closed;
	my @more = $c->{in} =~ /^(\d{3}) /mg;

	if ($ends && $v =~ /^\r\n\.\r\n/) {
		# That is the end by any reading. What comes behind it is a
		# line that is no command, and DATA has nothing to say.
		$clean++;
		is $code, 250, name_of($v) . ': ends the text';
		unlike "@more", qr/250|354/, name_of($v) . ': and no other';
	} elsif ($ends) {
		# So it does here, but by then the text was malformed, and
		# nothing after it is read.
		is "$code @more", '550 ', name_of($v) . ': refused, closed';
	} elsif ($bare) {
		$refused++;
		is "$code @more", '550 ', name_of($v) . ': refused, closed';
	} else {
		$clean++;
		is "$code @more", '250 221', name_of($v) . ': one message';
	}
	ok $closed, name_of($v) . ': the session ends';
	$c->close;
}
ok $clean >= 6 && $refused >= 100, "enough variants: $clean, $refused";

ok $d->wait(sub { $d->maildir('ann') == $clean }, 20),
    'what was well-formed is delivered once';
is scalar($d->maildir('admin')), 0, 'nothing was smuggled';
is scalar($d->logged(qr/event=accepted/)), $clean, 'as many were accepted';
my @split = grep { !/lorem(?:.*ipsum)?\n\z/s } map { s/\r//gr }
    $d->maildir('ann');
is scalar(@split), 0, 'each has its whole text';
$d->stop;
done_testing;
