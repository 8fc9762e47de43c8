# Mail out by `relay via`: what is said, how it is grouped, and that every
# octet of a message arrives.
use strict;
use warnings;
use Test::More;
use Digest::SHA qw(sha256_hex);
use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(
	main => {},
	many => {},
	few => { most => 3, connect => { delay => 0.1, reply => '220 hello' } },
	alone => { ehlo => [] },
	dies => { DOT => { reply => '250 ok', drop => 1 } },
	says421 => { DOT => { reply => '250 ok' }, MAIL => sub {
		my ($s) = @_;
		return $s->{mails}++ ? { reply => '421 4.4.2 idle', drop => 1 }
		    : '250 ok';
	} },
	slow => { slow => 400_000 },
	group => {},
);
my $d = Spoolkit->start(conf => join('', map {
	sprintf qq{accept from any for domain "%s.example" }
	    . qq{relay via "smtp://127.0.0.1:%d"\n}, $_, $mx->port($_)
} qw(many few alone dies says421 slow)) . <<"END");
table five { "g1.example", "g2.example", "g3.example", "g4.example", "g5.example" }
accept from any for <five> relay via "smtp://127.0.0.1:${\ $mx->port('group')}"
accept from any for any relay via "smtp://localhost:${\ $mx->port('main')}"
END

sub arrived {
	my ($host, $n, $limit) = @_;
	$d->wait(sub { $mx->messages($host) >= $n }, $limit // 10);
	return $mx->messages($host);
}

# The whole dialogue, octet for octet.
my $text = "From: ann\nDate: Sun, 22 Nov 2026 07:00:00 +0000\n" .
    "Message-Id: <1\@x>\n\n.dot\n..\n.\n\xc3\xa9 \xff\nend";
my ($id) = $d->send('ann@here.example', 'bob@there.example', $text) =~
    /^250 2.0.0 ([0-9a-f]{12})/;
my ($m) = arrived('main', 1);
ok $m, 'a message arrives';
like $m->{data}, qr/^Received: from .*\r\n\tfor <bob\@there.example>;\r\n/s,
    'with our Received field';
(my $want = $text) =~ s/\n/\r\n/g;
is substr($m->{data}, -length("$want\r\n")), "$want\r\n", 'octet for octet';
like $m->{wire}, qr/\r\n\r\n\.\.dot\r\n\.\.\.\r\n\.\.\r\n\xc3\xa9 \xff\r\nend\r\n\.\r\n$/,
    'dots are doubled on the wire';
my $size = length $m->{data};
my ($s) = $mx->sessions('main');
my $said = join '', map { $_->[1] eq 'C' ? $_->[2] : () } @{ $s->{events} };
is $said, "EHLO mail.test.example\r\n" .
    "MAIL FROM:<ann\@here.example> SIZE=$size BODY=8BITMIME\r\n" .
    "RCPT TO:<bob\@there.example>\r\nDATA\r\n$m->{wire}",
    'the dialogue';
my @writes = grep { $_->[1] eq 'C' } @{ $s->{events} };
is scalar @writes, 3, 'EHLO, the commands at once, the body';

# Twenty recipients, one transaction; the same over five domains.
$d->send('ann@here.example', [map { "u$_\@many.example" } 1 .. 20],
    "Subject: 20\n\nx\n");
($m) = arrived('many', 1);
is_deeply [sort @{ $m->{rcpts} }],
    [sort map { "u$_\@many.example" } 1 .. 20], 'twenty recipients';
is join(' ', map { /^(\w+)/ } $mx->commands('many')),
    'EHLO MAIL ' . 'RCPT ' x 20 . 'DATA', 'one transaction';
$d->send('ann@here.example', [map { "u\@g$_.example" } 1 .. 5],
    "Subject: 5\n\nx\n");
($m) = arrived('group', 1);
is scalar @{ $m->{rcpts} }, 5, 'five domains by one host, one transaction';
$d->send('ann@here.example', [map { "u$_\@many.example" } 1 .. 250],
    "Subject: 250\n\nx\n");
my @m = arrived('many', 4);
is join(' ', sort { $a <=> $b } map { scalar @{ $_->{rcpts} } } @m[1 .. $#m]),
    '50 100 100', 'at most a hundred in a transaction';

# Without any extension.
$d->send('', ['x@alone.example', 'y@alone.example'], "Subject: x\n\nx\n");
arrived('alone', 1);
is join('|', $mx->commands('alone')),
    'EHLO mail.test.example|MAIL FROM:<>|RCPT TO:<x@alone.example>' .
    '|RCPT TO:<y@alone.example>|DATA', 'one command at a time';

# Many messages: few connections, each used again.
my $c = $d->session;
$c->command('EHLO x');
for (1 .. 200) {
	my ($code) = $c->message('ann@here.example', ["n$_\@many.example"],
	    "Subject: $_\n\nx\n");
	fail "message $_: $code" if $code != 250;
}
@m = arrived('many', 204);
my %seen;
$seen{ $_->{rcpts}[0] }++ for @m[4 .. $#m];
is scalar(grep { $_ == 1 } values %seen), 200, '200 messages, once each';
my @sessions = $mx->sessions('many');
cmp_ok scalar @sessions, '<=', 12, 'over few connections';
cmp_ok $mx->peak('many'), '<=', 10, 'at most ten at a time';
my %load;
$load{ $_->{session} }++ for $mx->messages('many');
cmp_ok((sort { $b <=> $a } values %load)[0], '<=', 100,
    'at most a hundred by one of them');
is scalar(grep { /^RSET/ } $mx->commands('many')), 0, 'no RSET in between';

# A host that takes only three sessions gets all its mail through them.
$c->message('ann@here.example', ["n$_\@few.example"], "Subject: $_\n\nx\n")
    for 1 .. 40;
@m = arrived('few', 40);
is scalar @m, 40, 'a host with a limit of its own gets all';

# Connections that die while they rest are replaced, and nobody notices.
for my $host (qw(dies says421)) {
	for (1 .. 3) {
		$c->message('ann@here.example', ["n$_\@$host.example"],
		    "Subject: $_\n\nx\n");
		is scalar(arrived($host, $_)), $_, "$host: message $_";
	}
	is scalar($d->logged(qr/event=deferred.*n\d\@$host/)), 0,
	    "$host: nothing is deferred";
}
is scalar($d->logged(qr/event=deferred/)), 0, 'nothing was deferred at all';

# Bodies of all sizes around the pieces they travel in.
my (%sum, %whole);
for my $n (0, 1, 2, 65_000 .. 65_004, 65_400 .. 65_410, 131_072, 200_000,
    1_000_000) {
	my $body = join('', map { ".$_" . 'x' x ($_ % 70) . "\r\n" }
	    1 .. $n / 37 + 1);
	$body = substr $body, 0, $n;
	$body =~ s/\r\z/x/;
	$body .= "\r\n" unless $body eq '' || $body =~ /\r\n\z/;
	my $whole = "Subject: size $n\r\n\r\n$body";
	$sum{"size $n"} = sha256_hex($whole);
	$whole{"size $n"} = $whole;
	$c->message('ann@here.example', ['big@main.example'], $whole);
}
my $all = keys %sum;
@m = arrived('main', 1 + $all, 20);
my $bad = 0;
for (@m[1 .. $#m]) {
	my ($rest) = $_->{data} =~ /(Subject: size \d+\r\n.*)/s or next;
	my ($name) = $rest =~ /^Subject: (size \d+)/;
	# What the daemon added stands in the header.
	$rest =~ s/^(?:Date|Message-Id): .*\r\n//mg;
	next if sha256_hex($rest) eq delete $sum{$name};
	$bad++;
	my $at = 0;
	$at++ while substr($rest, $at, 1) eq substr($whole{$name}, $at, 1);
	diag "$name differs at $at: ", length $rest, ' octets, not ',
	    length $whole{$name};
}
is $bad, 0, 'no octet differs';
is join(' ', sort keys %sum), '', "all $all sizes arrived";

# A slow reader gets a large message whole.
my $big = "Subject: big\r\n\r\n" . ('.' . 'y' x 70 . "\r\n") x 14000;
$c->message('ann@here.example', ['x@slow.example'], $big);
($m) = arrived('slow', 1, 30);
ok $m && index($m->{data}, 'y' x 70 . "\r\n") > 0 &&
    length($m->{data}) > length $big, 'a slow host';

# What is known of hosts.
my @hosts = grep { ($_->{type} // '') eq 'host' } $d->ctl_json(qw(show hosts));
my ($h) = grep { $_->{host} =~ /:${\ $mx->port('many')}$/ } @hosts;
is $h->{delivered}, 470, 'show hosts counts recipients';
my ($l) = grep { $_->{host} =~ /^localhost \[127/ } @hosts;
ok $l, 'a host by its name';

# Connections that rest say QUIT by themselves.
ok $d->wait(sub {
	grep { /^QUIT/ } $mx->commands('many')
}, 10), 'QUIT after a while';

$c->close;
$d->stop;
done_testing;
