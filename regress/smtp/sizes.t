#!/usr/bin/perl
# Texts of sizes around every buffer there is come out octet for octet.
use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
max-message-size 20M
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/ann"
END

# Lines of odd lengths, many with dots in front.
sub text_of {
	my ($size, $seed) = @_;
	my $text = '';
	my $n = $seed;

	while (length $text < $size) {
		$n = ($n * 1103515245 + 12345) & 0x7fffffff;
		my $line = ('.' x ($n % 3)) . ('abcdefgh ' x ($n % 9)) .
		    substr('ijklmnopq', 0, $n % 7);
		$text .= "$line\r\n";
	}
	substr($text, $size - 2) = "\r\n" if $size >= 2;
	# A cut may leave a CR alone before the end.
	$text =~ s/\r\r\n\z/x\r\n/;
	return $size < 2 ? '' : $text;
}

my @sizes = (0, 2, 3, 4, 5);
for my $buffer (512, 4096, 8192, 16384, 32768, 65536) {
	push @sizes, map { $buffer + $_ } -260, -7 .. 7;
}
push @sizes, 69998 .. 70000, 262143 .. 262145, 1_000_000, 9_000_000;

my %want;
my $c = $d->session(timeout => 60);
$c->command('EHLO client.test');
my $bad = 0;
for my $size (@sizes) {
	my $text = text_of($size, $size + 1);
	my $body = "X-Size: $size\r\n\r\n$text";

	if ($size % 2) {
		# All in one write, the dialogue too.
		(my $stuffed = $body) =~ s/^\./../mg;
		$c->raw("MAIL FROM:<a\@b.example>\r\n" .
			"RCPT TO:<ann\@example.org>\r\nDATA\r\n" .
			"$stuffed.\r\n");
		my @codes = map { ($c->reply)[0] } 1 .. 4;
		$bad++ if "@codes" ne '250 250 354 250';
	} else {
		my ($code, $reply) = $c->message('a@b.example',
			['ann@example.org'], $body);
		$bad++, diag "$size: $reply" if $code != 250;
	}
	$want{$size} = sha1_hex($text);
}
is $bad, 0, scalar(@sizes) . ' sizes are accepted';
$c->close;
ok $d->wait(sub { $d->maildir('ann') == @sizes }, 60), 'and delivered';
my %got;
for my $mail ($d->maildir('ann')) {
	$mail =~ s/\r?\n/\r\n/g;
	my ($size) = $mail =~ /^X-Size: (\d+)\r$/m;
	my ($text) = $mail =~ /\r\n\r\n(.*)\z/s;
	$got{$size} = sha1_hex($text);
}
is_deeply \%got, \%want, 'octet for octet';
$d->stop;
done_testing;
