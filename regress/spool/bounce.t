# Bounces as a MIME parser that is not ours reads them.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $dir = tempdir('bounce.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $n = 0;

sub raw_bounce {
	my ($facts, $header, @args) = @_;
	my $file = "$dir/" . ++$n;
	open my $f, '>:raw', $file or die;
	print $f $facts, "header\n", $header;
	close $f;
	my $out = qx{$ENV{BUILD}/spool/bounce_print @args <$file >$file.eml};
	return ($? >> 8, "$file.eml");
}

sub bounce {
	my ($code, $file) = raw_bounce(@_);
	is($code, 0, 'is written');
	my $b = decode_json(qx{python3 regress/spool/bounce_read.py <$file});
	$b->{text} =~ s/\r//g;
	is($b->{type}, 'multipart/report', 'multipart/report');
	is($b->{report}, 'delivery-status', 'of delivery-status');
	is_deeply($b->{defects}, [], 'without a defect');
	is_deeply($b->{parts}, [ 'text/plain', 'message/delivery-status',
		'text/rfc822-headers' ], 'has its three parts');
	is($b->{bare}, 0, 'no bare CR or LF');
	ok($b->{end}, 'is closed');
	cmp_ok($b->{longest}, '<=', 998, 'no line is too long');
	return $b;
}

my $facts = <<'E';
recipient Ann@Example.Net
status 550 5.1.1 <ann@example.net>: no such user here
remote mx1.example.net [198.51.100.7]
last_try 1795353690
E
my $header = "Received: from a by b; Sun, 22 Nov 2026 13:21:09 +0000\r\n"
	. "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
	. "From: Sender\r\n <sender\@example.com>\r\n\r\nThe body.\r\n";

subtest 'one recipient' => sub {
	my $b = bounce($facts, $header);
	my $h = $b->{header};
	is($h->{from}, 'Mail Delivery System <MAILER-DAEMON@mx.example.org>',
		'From');
	like($h->{to}, qr/^<?sender\@example\.com>?$/, 'To');
	is($h->{date}, 'Sun, 22 Nov 2026 13:21:40 +0000', 'Date');
	is($h->{'auto-submitted'}, 'auto-replied', 'Auto-Submitted');
	is($h->{'mime-version'}, '1.0', 'MIME-Version');
	is($h->{'message-id'}, '<0123456789ab.bounce@mx.example.org>',
		'Message-Id');
	ok($h->{subject}, 'Subject');
	is($h->{'content-transfer-encoding'}, '7bit', '7bit');
	like($b->{text}, qr/^<Ann\@Example\.Net>$/m, 'names the recipient');
	like($b->{text}, qr/mx1\.example\.net \[198\.51\.100\.7\] said:/,
		'names who said so');
	like($b->{text}, qr/^    550 5\.1\.1 .*no such user here$/m, 'and what');
	like($b->{text}, qr/not be tried\s+again/, 'and that it is the end');
	is_deeply($b->{status}, [
		{
			'reporting-mta' => 'dns; mx.example.org',
			'arrival-date' => 'Sun, 22 Nov 2026 13:21:09 +0000',
			'x-spoolkit-id' => '3f9a0c41d7b2',
		}, {
			'final-recipient' => 'rfc822; Ann@Example.Net',
			'action' => 'failed',
			'status' => '5.1.1',
			'remote-mta' => 'dns; mx1.example.net '
				. '([198.51.100.7])',
			'diagnostic-code' => 'smtp; 550 5.1.1 '
				. '<ann@example.net>: no such user here',
			'last-attempt-date' => 'Sun, 22 Nov 2026 13:21:30 +0000',
		} ], 'the fields for machines');
	(my $want = $header) =~ s/\r\n\r\n.*/\r\n/s;
	is($b->{original}, $want, 'the header, and only the header');
};

subtest 'several recipients' => sub {
	my $b = bounce($facts . <<'E', $header);
recipient list@here.example
destination bob@here.example
status 550 5.4.6 mail loop: was delivered to this address before
remote maildir
recipient carl@example.net
status 451 4.4.1 connection timed out
remote mx2.example.net
expired 1
recipient dora@example.net
expired 1
recipient emil@example.net
status 552 too much
remote [2001:db8::1]
E
	my @s = @{$b->{status}};
	is(@s, 6, 'a block each');
	is($s[2]{'original-recipient'}, 'rfc822; list@here.example',
		'where it was sent');
	is($s[2]{'final-recipient'}, 'rfc822; bob@here.example',
		'where it went');
	is($s[2]{'remote-mta'}, undef, 'an agent is no remote server');
	like($s[2]{'diagnostic-code'}, qr/^x-spoolkit; 550 5\.4\.6 /,
		'we said so');
	like($b->{text}, qr/<list\@here\.example>\r?\n.*<bob\@here\.example>/,
		'people are told both');
	is($s[3]{status}, '4.4.7', 'expired: status');
	like($s[3]{'diagnostic-code'}, qr/^smtp; 451 4\.4\.1 /,
		'expired: the last reply');
	is($s[4]{status}, '4.4.7', 'expired without an attempt');
	is($s[4]{'diagnostic-code'}, undef, 'has no reply');
	like($b->{text}, qr/in the time it was given/, 'people are told why');
	is($s[5]{status}, '5.0.0', 'a reply without an enhanced code');
	is($s[5]{'remote-mta'}, 'dns; [2001:db8::1]', 'an address alone');
	is($_->{action}, 'failed', 'failed') for @s[1 .. 5];
};

subtest 'what remote servers may say' => sub {
	my $long = join ' ', ('word') x 100;
	my $word = 'x' x 3000;
	my $b = bounce(<<"E", $header);
recipient ann\@example.net
status 550 5.7.1 a\rFinal-Recipient: b\x01\x7f\t c
remote mx(\\"<evil>;).example.net [x]
recipient bob\@example.net
status 550 5.7.1 $long
remote mx.example.net
recipient carl\@example.net
status 550 5.7.1 $word
remote mx.example.net
recipient dora\@example.net
status 550 5.7.1 gr\xc3\xbc\xc3\x9fe \xff\xfe
remote mx.example.net
recipient j\xc3\xb6rg\@ex\xc3\xa4mple.net
status 550
remote mx.example.net
E
	my @s = @{$b->{status}};
	is(@s, 6, 'no block came in');
	is($s[1]{'final-recipient'}, 'rfc822; ann@example.net',
		'no field came in');
	is($s[1]{'diagnostic-code'}, 'smtp; 550 5.7.1 '
		. 'a\x0dFinal-Recipient: b\x01\x7f\x09 c', 'it is escaped');
	unlike($s[1]{'remote-mta'}, qr/["<>]/, 'a comment stays closed');
	is($s[2]{'diagnostic-code'}, "smtp; 550 5.7.1 $long",
		'folding loses no word');
	like($s[4]{'diagnostic-code'}, qr/gr\\xc3\\xbc\\xc3\\x9fe /,
		'ASCII for machines');
	like($b->{text}, qr/gr\x{fc}\x{df}e \\xff\\xfe/, 'UTF-8 for people');
	is($s[5]{'final-recipient'}, 'utf-8; j\x{F6}rg@ex\x{E4}mple.net',
		'an address beyond ASCII as RFC 6533 has it');
	is($b->{header}{'content-transfer-encoding'}, '8bit', '8bit is told');
	is($b->{encodings}[0], '8bit', 'for the text');
	is($b->{encodings}[2], '7bit', 'not for the header');
	my ($bobs) = $b->{text} =~ /<bob\@.*?\n(.*?)\n\r?\n/s;
	is((grep { length > 78 } split /\r?\n/, $bobs), 0,
		'people get short lines');
};

subtest 'odd headers' => sub {
	my $b = bounce($facts, "Subject: gr\xc3\xbc\xc3\x9fe\r\nX: cut of");
	is($b->{original}, "Subject: gr\xc3\xbc\xc3\x9fe\r\n",
		'a line that was cut is left out');
	is($b->{encodings}[2], '8bit', '8bit is told');
	is($b->{header}{'content-transfer-encoding'}, '8bit', 'outside too');
	is($b->{encodings}[0], '7bit', 'not for the text');
	$b = bounce($facts, "X: --=_0123456789ab_0\r\n--=_0123456789ab_0--\r\n"
		. "=_0123456789ab_1\r\nZ: z\r\n");
	like($b->{original}, qr/^--=_0123456789ab_0--\r\n.*Z: z\r\n\z/ms,
		'a header with our boundary in it');
	$b = bounce($facts, "X: a\0b\rc\r\nY: " . 'y' x 5000 . "\r\n");
	like($b->{original}, qr/\AX: a\?b\?c\r\nY: y{995}\r\n\z/,
		'octets and lines that mail cannot have');
	$b = bounce($facts, '');
	is($b->{original}, '', 'none at all');
	$b = bounce($facts, "\r\nbody\r\n");
	is($b->{original}, '', 'an empty one');
};

subtest 'very many recipients' => sub {
	my $b = bounce(join('', map {
		"recipient user$_\@example.net\nstatus 550 5.1.1 no\n" }
		1 .. 1000), $header);
	is(@{$b->{status}}, 1001, 'all are there');
};

my ($code) = raw_bounce($facts, $header, 1000);
is($code, 75, 'a buffer too small is an error and stays empty');

done_testing;
