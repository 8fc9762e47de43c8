#!/usr/bin/perl
# The incoming dialogue, as a table: what is said, and the reply to it.
#
#   = NAME      a session that begins with nothing
#   + NAME      one that has said EHLO
#   * NAME      one that has a sender and a recipient
#   LINE => REPLY   the line is sent with CRLF (not when it ends with \c), \r \n
#               \0 \t \e \xNN are octets, %{N*c} is c N times. REPLY is the
#               start of the last line of the reply; "close" after it: the
#               server hangs up; "-": nothing is awaited
use strict;
use warnings;

use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
hostname mx.test.example
max-message-size 100K
max-recipients 5
table mine { ann, bob, postmaster }
accept from any for domain "example.org" users <mine> \
    deliver to maildir "%DIR%/mail/%{user}"
accept from any for local users <mine> \
    deliver to maildir "%DIR%/mail/%{user}"
END

my %octet = (r => "\r", n => "\n", 0 => "\0", t => "\t", e => "\e",
	'\\' => '\\');

sub octets {
	my ($s) = @_;

	$s =~ s/%\{(\d+)\*(.)\}/$2 x $1/ge;
	my $end = $s =~ s/\\c\z// ? '' : "\r\n";
	$s =~ s/\\(?:x([0-9a-f]{2})|(.))/defined $1 ? chr hex $1 : $octet{$2}/ge;
	return $s . $end;
}

sub play {
	my ($name, $kind, @steps) = @_;
	my $c = Spoolkit::Client->connect($d->port, 10) or
	    return fail "$name: no connection";
	my ($code, $text) = $c->reply;
	my @before = $kind eq '=' ? () : ('EHLO client.test');

	push @before, 'MAIL FROM:<a@shop.example>', 'RCPT TO:<ann@example.org>'
	    if $kind eq '*';
	for my $line (@before) {
		($code, $text) = $c->command($line);
		return fail "$name: $line: $text" if $code != 250;
	}
	for (@steps) {
		my ($line, $want) = @$_;
		my $closes = $want =~ s/\s*close\z//;

		$c->raw(octets($line)) or return fail "$name: $line: cut off";
		next if $want eq '-';
		($code, $text) = $c->reply;
		my ($last) = $text =~ /([^\n]*)\z/;
		return is $last, $want, "$name: $line"
		    if index($last, $want) != 0;
		return fail "$name: stays open after $line"
		    if $closes && !$c->closed;
	}
	$c->close;
	pass $name;
}

my ($name, $kind, @steps);
while (<DATA>) {
	chomp;
	next if /^#/ || /^\s*$/;
	if (/^([=+*]) (.*)/) {
		play($name, $kind, @steps) if defined $name;
		($kind, $name, @steps) = ($1, $2);
	} elsif (/^(.*?)\s+=> (.*)/) {
		push @steps, [$1, $2];
	} elsif (/^=> (.*)/) {
		push @steps, ['', $1];
	} else {
		BAIL_OUT("line $.: $_");
	}
}
play($name, $kind, @steps);
is scalar($d->logged(qr/breach|fatal/)), 0, 'no breach';
$d->stop;
done_testing;

__DATA__
= EHLO
EHLO client.test => 250 HELP
= HELO
HELO client.test => 250 mx.test.example
= lower case
ehlo client.test => 250 HELP
mail from:<a@b.example> => 250 2.1.0
rcpt to:<ann@example.org> => 250 2.1.5
data => 354
. => 250 2.0.0
quit => 221 2.0.0 close
= EHLO without a name
EHLO => 501 5.5.4
EHLO\x20 => 501 5.5.4
= HELO without a name
HELO => 501 5.5.4
= EHLO with two names
EHLO a.example b.example => 501 5.5.4
= EHLO with a literal
EHLO [192.0.2.1] => 250
= EHLO with an IPv6 literal
EHLO [IPv6:2001:db8::1] => 250
= EHLO with a wrong literal
EHLO [192.0.2.256] => 501 5.5.4
= EHLO with a script
EHLO <script> => 501 5.5.4
= EHLO with an escape
EHLO a\e[2J => 501 5.5.4
= EHLO with 8-bit octets
EHLO \xc3\xa4.example => 501 5.5.4
= EHLO with an underscore
EHLO my_host.example => 250
= EHLO with blanks after it
EHLO client.test\x20\x20\t => 250
= EHLO of 255 octets
EHLO %{63*a}.%{63*b}.%{63*c}.%{63*d} => 250
= EHLO of 256 octets
EHLO %{63*a}.%{63*b}.%{63*c}.%{63*d}. => 501
+ EHLO again
EHLO other.test => 250
* EHLO ends a transaction
EHLO client.test => 250
RCPT TO:<ann@example.org> => 503 5.5.1
* HELO ends a transaction
HELO client.test => 250
DATA => 503 5.5.1
* EHLO that is refused does not
EHLO => 501
DATA => 354

= MAIL before EHLO
MAIL FROM:<a@b.example> => 503 5.5.1
= RCPT before EHLO
RCPT TO:<ann@example.org> => 503 5.5.1
= DATA before EHLO
DATA => 503 5.5.1
= RSET before EHLO
RSET => 250
= NOOP before EHLO
NOOP => 250
= QUIT before EHLO
QUIT => 221 2.0.0 close
+ RCPT before MAIL
RCPT TO:<ann@example.org> => 503 5.5.1
+ DATA before MAIL
DATA => 503 5.5.1
+ DATA before RCPT
MAIL FROM:<a@b.example> => 250
DATA => 554 5.5.1
+ MAIL twice
MAIL FROM:<a@b.example> => 250
MAIL FROM:<c@d.example> => 503 5.5.1
RCPT TO:<ann@example.org> => 250
+ DATA when all were refused
MAIL FROM:<a@b.example> => 250
RCPT TO:<nobody@example.org> => 550 5.1.1
DATA => 554 5.5.1
* RSET
RSET => 250 2.0.0
DATA => 503
MAIL FROM:<a@b.example> => 250
* RSET with an argument
RSET now => 501 5.5.4
DATA => 354
* MAIL after a message
DATA => 354
. => 250
RCPT TO:<ann@example.org> => 503
MAIL FROM:<> => 250
RCPT TO:<ann@example.org> => 250

+ null reverse-path
MAIL FROM:<> => 250 2.1.0
+ MAIL without a path
MAIL => 501 5.5.4
MAIL FROM => 501 5.5.4
MAIL FROM: => 501 5.5.4
MAIL FROM:a@b.example => 501 5.5.4
+ MAIL with TO
MAIL TO:<a@b.example> => 501 5.5.4
+ MAIL with a path that does not end
MAIL FROM:<a@b.example => 501 5.5.4
+ MAIL with something after the path
MAIL FROM:<a@b.example>x => 501 5.5.4
MAIL FROM:<a@b.example>> => 501 5.5.4
+ MAIL with a blank in the address
MAIL FROM:<a b@c.example> => 501 5.1.7
+ MAIL without a domain
MAIL FROM:<a> => 501 5.1.7
MAIL FROM:<a@> => 501 5.1.7
+ MAIL without a local part
MAIL FROM:<@b.example> => 501 5.1.7
+ MAIL with two at signs
MAIL FROM:<a@b@c.example> => 501 5.1.7
+ MAIL with shell text and no domain
MAIL FROM:<;sleep 66;> => 501 5.1.7
+ MAIL with shell text and an empty domain
MAIL FROM:<;for i in 0 1 2 3;do read r;done;sh;exit 0;@> => 501
+ MAIL with a dot at the end
MAIL FROM:<a.@b.example> => 501 5.1.7
+ MAIL with a dot at the start
MAIL FROM:<.a@b.example> => 501 5.1.7
+ MAIL with two dots
MAIL FROM:<a..b@c.example> => 501 5.1.7
+ MAIL with a quoted local part
MAIL FROM:<"a b"@c.example> => 250
+ MAIL with a quoted bracket
MAIL FROM:<"a>b"@c.example> => 250
+ MAIL with a quoted pair
MAIL FROM:<"a\\"b"@c.example> => 250
+ MAIL with an open quote
MAIL FROM:<"a@b.example> => 501
+ MAIL with a literal
MAIL FROM:<a@[192.0.2.1]> => 250
+ MAIL with an IPv6 literal
MAIL FROM:<a@[IPv6:2001:db8::1]> => 250
+ MAIL with a source route
MAIL FROM:<@one.example,@two.example:a@b.example> => 250
+ MAIL with a local part of 64 octets
MAIL FROM:<%{64*a}@b.example> => 250
+ MAIL with a local part of 65 octets
MAIL FROM:<%{65*a}@b.example> => 501 5.1.7
+ MAIL with a label of 63 octets
MAIL FROM:<a@%{63*b}.example> => 250
+ MAIL with a label of 64 octets
MAIL FROM:<a@%{64*b}.example> => 501 5.1.7
+ MAIL with a path of 257 octets
MAIL FROM:<aaa@%{63*b}.%{63*c}.%{63*d}.%{59*e}> => 501 5.1.7
+ MAIL with 8-bit octets
MAIL FROM:<\xc3\xa4@b.example> => 553 5.6.7
+ MAIL with a control octet
MAIL FROM:<a\x01@b.example> => 501
+ MAIL with percent and bang
MAIL FROM:<a%b!c@d.example> => 250
+ MAIL with a blank after the colon
MAIL FROM: <a@b.example> => 250
+ MAIL with a blank before the colon
MAIL FROM :<a@b.example> => 501 5.5.4
+ MAIL with blanks at the end
MAIL FROM:<a@b.example>\x20\x20 => 250

+ SIZE
MAIL FROM:<a@b.example> SIZE=1000 => 250
+ SIZE at the limit
MAIL FROM:<a@b.example> SIZE=102400 => 250
+ SIZE over the limit
MAIL FROM:<a@b.example> SIZE=102401 => 552 5.3.4
MAIL FROM:<a@b.example> SIZE=10 => 250
+ SIZE of twenty digits
MAIL FROM:<a@b.example> SIZE=99999999999999999999 => 552 5.3.4
+ SIZE of twenty-one digits
MAIL FROM:<a@b.example> SIZE=100000000000000000000 => 501 5.5.4
+ SIZE below zero
MAIL FROM:<a@b.example> SIZE=-1 => 501 5.5.4
+ SIZE without a value
MAIL FROM:<a@b.example> SIZE => 501 5.5.4
MAIL FROM:<a@b.example> SIZE= => 501 5.5.4
+ SIZE twice
MAIL FROM:<a@b.example> SIZE=1 SIZE=1 => 501 5.5.4
+ SIZE of nothing
MAIL FROM:<a@b.example> SIZE=0 => 250
+ BODY
MAIL FROM:<a@b.example> BODY=8BITMIME => 250
+ BODY of seven bits
MAIL FROM:<a@b.example> body=7bit SIZE=1 => 250
+ BODY unknown
MAIL FROM:<a@b.example> BODY=BINARYMIME => 501 5.5.4
+ parameter unknown
MAIL FROM:<a@b.example> FOO=bar => 555 5.5.4
MAIL FROM:<a@b.example> FOO => 555 5.5.4
+ parameters of extensions that were not offered
MAIL FROM:<a@b.example> RET=HDRS ENVID=x => 555 5.5.4
MAIL FROM:<a@b.example> AUTH=<> => 555 5.5.4
MAIL FROM:<a@b.example> SMTPUTF8 => 555 5.5.4
+ parameter with no name
MAIL FROM:<a@b.example> =x => 501 5.5.4
+ parameter with two equal signs
MAIL FROM:<a@b.example> FOO=a=b => 501 5.5.4
= SIZE after HELO is taken
HELO client.test => 250
MAIL FROM:<a@b.example> SIZE=10 => 250

* a second recipient
RCPT TO:<bob@example.org> => 250 2.1.5
+ unknown recipient
MAIL FROM:<a@b.example> => 250
RCPT TO:<nobody@example.org> => 550 5.1.1
RCPT TO:<ann@example.org> => 250
DATA => 354
. => 250
+ no relaying
MAIL FROM:<a@b.example> => 250
RCPT TO:<ann@elsewhere.example> => 550 5.7.1
+ no relaying by percent, bang or route
MAIL FROM:<a@b.example> => 250
RCPT TO:<ann%elsewhere.example@example.org> => 550
RCPT TO:<elsewhere.example!ann@example.org> => 550
RCPT TO:<@example.org:ann@elsewhere.example> => 550
RCPT TO:<"ann@elsewhere.example"@example.org> => 550
+ null recipient
MAIL FROM:<a@b.example> => 250
RCPT TO:<> => 501 5.1.3
+ recipient without a domain
MAIL FROM:<a@b.example> => 250
RCPT TO:<ann> => 501 5.1.3
+ postmaster without a domain
MAIL FROM:<a@b.example> => 250
RCPT TO:<Postmaster> => 250
+ postmaster of a domain
MAIL FROM:<a@b.example> => 250
RCPT TO:<POSTMASTER@EXAMPLE.ORG> => 250
+ case of the domain
MAIL FROM:<a@b.example> => 250
RCPT TO:<ann@Example.ORG> => 250
+ recipient without brackets
MAIL FROM:<a@b.example> => 250
RCPT TO:ann@example.org => 501 5.5.4
+ RCPT with FROM
MAIL FROM:<a@b.example> => 250
RCPT FROM:<ann@example.org> => 501 5.5.4
+ RCPT without anything
MAIL FROM:<a@b.example> => 250
RCPT => 501 5.5.4
+ RCPT with a parameter
MAIL FROM:<a@b.example> => 250
RCPT TO:<ann@example.org> NOTIFY=NEVER => 555 5.5.4
+ recipient with 8-bit octets
MAIL FROM:<a@b.example> => 250
RCPT TO:<\xff@example.org> => 553 5.6.7
+ recipient with a local part of 65 octets
MAIL FROM:<a@b.example> => 250
RCPT TO:<%{65*a}@example.org> => 501 5.1.3
* too many recipients
RCPT TO:<bob@example.org> => 250
RCPT TO:<ann@example.org> => 250
RCPT TO:<bob@example.org> => 250
RCPT TO:<postmaster@example.org> => 250
RCPT TO:<bob@example.org> => 452 4.5.3
DATA => 354
. => 250
* refused ones do not count as recipients
RCPT TO:<n1@example.org> => 550
RCPT TO:<n2@example.org> => 550
RCPT TO:<n3@example.org> => 550
RCPT TO:<n4@example.org> => 550
RCPT TO:<bob@example.org> => 250

* DATA with an argument
DATA now => 501 5.5.4
DATA => 354
* an empty message
DATA => 354
. => 250 2.0.0
* a message
DATA => 354
Subject: x => -
=> -
text => -
. => 250 2.0.0
* dots
DATA => 354
.. => -
... => -
.x => -
.. => -
. => 250 2.0.0
* commands in the text are text
DATA => 354
QUIT => -
RSET => -
MAIL FROM:<x@y.example> => -
. => 250 2.0.0
NOOP => 250
* a long line
DATA => 354
%{70000*x} => -
. => 250
* a line of 998 and one of 999 octets
DATA => 354
%{998*x} => -
%{999*x} => -
. => 250
* 8-bit text
DATA => 354
\xc3\xa4\xff\xfe => -
. => 250
* too big
DATA => 354
%{90000*x} => -
%{20000*x} => -
. => 552 5.3.4
MAIL FROM:<a@b.example> => 250
* bare LF in the text
DATA => 354
a\nb => -
. => 550 5.6.11 close
* bare CR in the text
DATA => 354
a\rb => -
. => 550 5.6.11 close
* NUL in the text
DATA => 354
a\0b => -
. => 550 5.6.0 close
* two CR before the LF
DATA => 354
a\r => -
. => 550 5.6.11 close

+ VRFY
VRFY ann => 252
+ VRFY of nothing
VRFY => 501 5.5.4
+ EXPN
EXPN list => 252
+ EXPN of nothing
EXPN => 501 5.5.4
= HELP
HELP => 214 2.0.0
= HELP for a command
HELP RCPT => 214 2.0.0
= NOOP with an argument
NOOP \e[31m and the rest => 250 2.0.0
+ QUIT
QUIT => 221 2.0.0 close
+ QUIT with an argument
QUIT now => 501 5.5.4
QUIT => 221 close
* QUIT in a transaction
QUIT => 221 close
+ unknown command
BLURDYBLOOP => 500 5.5.2
NOOP => 250
+ part of a command
MAI FROM:<a@b.example> => 500 5.5.2
+ command with something glued on
NOOPX => 500 5.5.2
+ empty line
=> 500 5.5.2
NOOP => 250
+ line that begins with a blank
 NOOP => 500 5.5.2
+ verb with 8-bit octets
\xff\xfe => 500 5.5.2
+ STARTTLS is not here
STARTTLS => 502 5.5.1
+ AUTH is not here
AUTH PLAIN AGEAYg== => 502 5.5.1
+ BDAT is not here
BDAT 3 LAST => 502 5.5.1
+ TURN and ETRN are not here
TURN => 502 5.5.1
ETRN example.org => 502 5.5.1
+ SEND SOML SAML
SEND FROM:<a@b.example> => 502 5.5.1
SOML FROM:<a@b.example> => 502 5.5.1
SAML FROM:<a@b.example> => 502 5.5.1

+ line of 512 octets
NOOP %{505*x} => 250
+ line of 513 octets
NOOP %{506*x} => 500 5.5.2
NOOP => 250
+ MAIL of 555 octets
MAIL FROM:<a@b.example>%{530*%}\c => -
\r\n\c => 501
+ line of 10000 octets is not taken apart
NOOP %{9000*x} MAIL FROM:<a@b.example> => 500 5.5.2
RCPT TO:<ann@example.org> => 503
+ long lines twice
%{3000*x} => 500 5.5.2
%{3000*x} => 500 5.5.2
=> 421 4.7.0 close
+ bare LF
NOOP\nNOOP => 500 5.5.2
NOOP => 250
+ bare LF hides no command
NOOP\nMAIL FROM:<a@b.example> => 500 5.5.2
RCPT TO:<ann@example.org> => 503
+ bare CR
NO\rOP => 500 5.5.2
NOOP => 250
+ CR CR LF
NOOP\r => 500 5.5.2
NOOP => 250
+ NUL
NO\0OP => 500 5.5.2
NOOP => 250
+ NUL in an address
MAIL FROM:<a\0@b.example> => 500 5.5.2
= GET
GET / HTTP/1.1\r\nHost: localhost\r\n => 421 4.7.0 close
= POST
POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<> => 421 close
= PUT
PUT /x HTTP/1.0 => 421 close
= CONNECT
CONNECT localhost:25 HTTP/1.1 => 421 close
+ HTTP after EHLO
HEAD / HTTP/1.1 => 421 close
= too many errors
1 => 500
2 => 500
3 => 500
4 => 500
5 => 500
6 => 500
7 => 500
8 => 500
9 => 500
10 => 500
11 => 500
12 => 500
13 => 500
14 => 500
15 => 500
16 => 500
17 => 500
18 => 500
19 => 500
20 => 500
=> 421 4.7.0 close
