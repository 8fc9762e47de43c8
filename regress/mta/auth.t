# AUTH as a client: which mechanism, when, and what becomes of a session whose
# credentials are refused. The secret is in no log and in no trace.
use strict;
use warnings;
use Test::More;
use MIME::Base64 qw(encode_base64);
use Certs;
use Connsend;
use FakeMX;

my $certs = Certs->new(mine => 1);
my $ca = $certs->ca('root');
my $cert = $certs->make('mx.example.org', ca => $ca);
my $secret = 'corr3ct:horse';
my $auth = { ann => $secret };
my $longest = 'p' x 900;
my @both = (tls => $cert, auth => $auth);

my $mx = FakeMX->start(
	both => { @both },
	clear => { auth => $auth },
	login => { @both, mechs => ['LOGIN'] },
	other => { @both, mechs => ['CRAM-MD5', 'XOAUTH2'] },
	none => { tls => $cert },
	old => { @both, implicit => 1,
		EHLO => "250-fake.example\r\n250 AUTH=PLAIN" },
	smtps => { @both, implicit => 1 },
	tempfail => { @both, AUTH => '454 4.7.0 temporary failure' },
	bye => { @both, AUTH => { reply => '421 4.7.0 bye', drop => 1 } },
	echo => { @both, AUTH => "535 5.7.8 $secret is wrong" },
	echo64 => { @both, AUTH => '535-5.7.8 no' . "\r\n535 5.7.8 " .
		encode_base64("\0ann\0$secret", '') },
	asks => { tls => $cert, ehlo => ['AUTH PLAIN'],
		AUTH => ['334 ', '235 ok'] },
	nags => { tls => $cert, ehlo => ['AUTH PLAIN LOGIN'],
		AUTH => '334 once more' },
	junk => { tls => $cert, ehlo => ['AUTH PLAIN'], AUTH => '354 what' },
	long => { tls => $cert, auth => { ann => $longest } },
);
my $c = Connsend->new($mx);
my $head = qq(table secrets { "ann" = "ann:$secret", "bad" = "ann:wrong", ) .
    qq("long" = "ann:$longest" }\n);

sub relay {
	my ($scheme, $label) = @_;
	return sprintf 'via "%s+auth://%s@%%HOST%%" auth <secrets>', $scheme,
	    $label // 'ann';
}

sub refused {
	my ($end, $why) = @_;
	return qr/^closed $end: \d{3} [\d.]+ (host: )?$why/m;
}
my $done = qr/^done bob\@there.example by body: 250/m;
my $no = 'AUTH PLAIN is refused: 535';

# name, host, relay, what it says, and who the host knows then
my @rows = (
	['PLAIN', 'both', relay('smtp+tls'), $done, 'ann'],
	['PLAIN, tls', 'both', relay('tls'), $done, 'ann'],
	['LOGIN', 'login', relay('smtp+tls'), $done, 'ann'],
	['as it was written once', 'old', relay('smtps'), $done, 'ann'],
	['smtps', 'smtps', relay('smtps'), $done, 'ann'],
	['a long password', 'long', relay('smtp+tls', 'long'), $done, 'ann'],
	['asks for what was said', 'asks', relay('smtp+tls'), $done, undef],
	['wrong', 'both', relay('smtp+tls', 'bad'),
		refused('auth', 'AUTH PLAIN is refused: 535 5.7.8 these are')],
	['wrong, LOGIN', 'login', relay('smtp+tls', 'bad'),
		refused('auth', 'AUTH LOGIN is refused: 535 5.7.8 these are')],
	['reply 454', 'tempfail', relay('smtp+tls'),
		refused('auth', 'AUTH PLAIN is refused: 454 4.7.0 temp')],
	['reply 421', 'bye', relay('smtp+tls'), refused('421', 'bye')],
	['other mechanisms', 'other', relay('smtp+tls'),
		refused('auth', 'offers neither AUTH PLAIN nor AUTH LOGIN')],
	['no AUTH', 'none', relay('smtp+tls'),
		refused('auth', 'offers neither')],
	['not in clear', 'clear', relay('smtp+tls'),
		refused('tls', 'TLS is required')],
	['says the password', 'echo', relay('smtp+tls'),
		refused('auth', 'AUTH PLAIN is refused: 535$')],
	['says it in base64', 'echo64', relay('smtp+tls'),
		refused('auth', 'AUTH PLAIN is refused: 535$')],
	['asks again and again', 'nags', relay('smtp+tls'),
		refused('lost', 'an answer out of turn in AUTH')],
	['reply 354', 'junk', relay('smtp+tls'),
		refused('lost', 'an answer out of turn in AUTH')],
);
my $forms = join '|', map { quotemeta } $secret, 'wrong', $longest,
    map { encode_base64($_, '') } map { ("\0ann\0$_", $_) } $secret, 'wrong',
    $longest;
for (@rows) {
	my ($what, $host, $relay, $want, $who) = @$_;
	my $r = $c->send($host, relay => $relay, head => $head, opt => ['-v']);

	like $r->{out}, $want, $what or diag $r->{err};
	like $r->{err}, qr/> \(AUTH (PLAIN|LOGIN)\)/, "$what: traced"
	    if $r->{out} =~ /AUTH \w+ is refused|^ready/m;
	unlike "$r->{out}$r->{err}" =~ s/is wrong//r, qr/$forms/,
	    "$what: and the secret is not";
	is +($mx->sessions($host))[-1]{auth}, $who, "$what: who"
	    if defined $who;
}
is scalar(grep { /^AUTH/ } map { $mx->commands($_) } 'clear'), 0,
    'no credentials in clear';
my ($s) = $mx->sessions('both');
like join('', map { $_->[1] eq 'C' ? $_->[2] : () } @{ $s->{events} }),
    qr/EHLO client.example\r\nAUTH PLAIN \S+\r\nMAIL FROM:<ann\@here/,
    'after TLS, before MAIL';
my $r = $c->send('both', relay => relay('smtp+tls', 'nobody'), head => $head);
isnt $r->{status}, 0, 'a label without credentials';
like "$r->{out}$r->{err}", qr/nobody/, 'is named';
done_testing;
