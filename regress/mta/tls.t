# TLS of a session: offered, required, verified, from the first octet; what we
# show of ourselves; and all the ways in which it fails, never to clear when it
# is a must.
use strict;
use warnings;
use Test::More;
use Certs;
use Connsend;
use FakeMX;

my $certs = Certs->new(mine => 1);
my $ca = $certs->ca('a root');
my $other = $certs->ca('another root');
my $good = $certs->make('mx.example.org', ca => $ca);
my $address = $certs->make('mx', ca => $ca, ip => '127.0.0.1');
my $own = $certs->make('mx.example.org');
my $old = $certs->make('mx.example.org', ca => $ca, expired => 1);
my $ours = $certs->make('client.example', ca => $ca);
my $second = $certs->make('second.example', ca => $ca);
my $stranger = $certs->make('client.example', ca => $other);
my $injected = { reply => "220 2.0.0 go\r\n250-fake.example\r\n250 AUTH PLAIN" };

my %hosts = (
	plain => {},
	good => { tls => $good },
	address => { tls => $address },
	own => { tls => $own },
	old => { tls => $old },
	smtps => { tls => $good, implicit => 1 },
	stripped => { tls => $good, starttls => 0 },
	refuses => { tls => $good, STARTTLS => '454 4.7.0 not now' },
	nohello => { tls => $good, EHLO => '502 5.5.1 what' },
	garbage => { tls => 'garbage' },
	close => { tls => 'close' },
	silent => { tls => 'silent' },
	injects => { tls => $good, STARTTLS => $injected },
	asks => { tls => $good, client => $ca },
	needs => { tls => $good, client => $ca, need => 1 },
	needs12 => { tls => $good, client => $ca, need => 1,
		sslopts => { SSL_version => 'TLSv1_2' } },
	tls12 => { tls => $good, sslopts => { SSL_version => 'TLSv1_2' } },
	tls13 => { tls => $good, sslopts => { SSL_version => 'TLSv1_3' } },
);
my $mx = FakeMX->start(%hosts);
my $c = Connsend->new($mx);
my $trust = qq{ca "$ca->{cert}"};
my $name = ['-n', 'mx.example.org'];
my $pki = '';
for ([client => $ours], ['second.example' => $second],
    [stranger => $stranger]) {
	my ($n, $x) = @$_;
	$n = 'client.example' if $n eq 'client';
	$pki .= qq{pki $n certificate "$x->{chain}"\npki $n key "$x->{key}"\n};
}
my ($done, $any) = (qr/^done bob\@there.example by body: 250/m, qr/./);
my $v13 = qr/^ready messages=0 tls=TLSv1\.3 TLS_\S+ unverified$/m;
my $verified = qr/^ready messages=0 tls=TLSv1\.[23] \S+ verified$/m;
# The alert may be lost with what we had sent before it came.
my $alert = '(\S.*alert|connection closed|Connection reset)';
my $clear = qr/^ready messages=0 tls=$/m;

sub fails {
	my ($end, $why) = @_;
	return qr/^closed $end: 451 4\.7\.\d host: (TLS: )?$why/m;
}

# name, host, words of the relay, options, what it says; more of connsend's
my @rows = (
	['not offered', 'plain', '', [], $clear, $done],
	['offered', 'good', '', [], $v13, $done],
	['offered, own certificate', 'own', '', [], $v13, $done],
	['offered, expired', 'old', '', [], $v13, $done],
	['not wanted', 'good', 'no-tls', [], $clear, $done],
	['failed lately', 'good', '', ['-C'], $clear, $done],
	['failed lately, yet a must', 'good', 'tls', ['-C'], $v13, $done],
	['454, in clear', 'refuses', '', [], $clear, $done],
	['HELO, in clear', 'nohello', '', [], $clear, $done],
	['garbage', 'garbage', '', [],
		fails('tls-try', 'wrong version number')],
	['closes', 'close', '', [],
		fails('tls-try', 'connection closed in the handshake')],
	['silent', 'silent', '', ['-d', '1500'],
		fails('tls-try', 'no answer in time in the handshake')],

	['must', 'good', 'tls', [], $v13, $done],
	['must, own certificate', 'own', 'tls', [], $v13, $done],
	['must, not offered', 'plain', 'tls', [],
		fails('tls', 'TLS is required, and STARTTLS is not offered')],
	['must, stripped', 'stripped', 'tls', [],
		fails('tls', 'TLS is required, and STARTTLS is not offered')],
	['must, 454', 'refuses', 'tls', [], fails('tls',
		'TLS is required, and STARTTLS fails: 454 4.7.0 not now')],
	['must, HELO', 'nohello', 'tls', [],
		fails('tls', 'TLS is required, and STARTTLS is not offered')],
	['must, garbage', 'garbage', 'tls', [],
		fails('tls', 'wrong version number')],
	['must, closes', 'close', 'tls', [],
		fails('tls', 'connection closed in the handshake')],
	['must, silent', 'silent', 'tls', ['-d', '1500'],
		fails('tls', 'no answer in time')],
	['must, by the URL', 'plain', 'via "smtp+tls://%HOST%"', [],
		fails('tls', 'TLS is required, and STARTTLS is not offered')],
	['must, injected', 'injects', 'tls', [], $v13, $done],

	['verify', 'good', "tls verify $trust", $name, $verified, $done],
	['verify an address', 'address', "tls verify $trust", [], $verified,
		$done],
	['verify, another name', 'good', "tls verify $trust",
		['-n', 'mx.example.net'],
		fails('tls', 'certificate: hostname mismatch')],
	['verify, another address', 'good', "tls verify $trust", [],
		fails('tls', 'certificate: IP address mismatch')],
	['verify, own certificate', 'own', "tls verify $trust", $name,
		fails('tls', 'certificate: self-signed certificate')],
	['verify, expired', 'old', "tls verify $trust", $name,
		fails('tls', 'certificate: certificate has expired')],
	['verify, another root', 'good', qq{tls verify ca "$other->{cert}"},
		$name, fails('tls', 'certificate: (self-signed certificate|' .
		    'unable to get local issuer)')],
	['verify, not offered', 'plain', "tls verify $trust", $name,
		fails('tls', 'TLS is required')],

	['smtps', 'smtps', 'via "smtps://%HOST%"', [], $v13, $done],
	['smtps verified', 'smtps', qq{via "smtps://%HOST%" tls verify $trust},
		$name, $verified, $done],
	['smtps to a plain host', 'plain', 'via "smtps://%HOST%"',
		['-d', '1500'], fails('tls', '')],
	['plain to a smtps host', 'smtps', '', ['-d', '1500'],
		qr/^closed lost: 451 4\.(4\.2|5\.0) host: /m],

	['only 1.2', 'tls13', 'tls protocols "TLSv1.2"', [],
		fails('tls', '\S.*version')],
	['only 1.3', 'tls13', 'tls protocols "TLSv1.3"', [], $v13, $done],
	['only 1.3, it has not', 'tls12', 'tls protocols "TLSv1.3"', [],
		fails('tls', '\S.*(version|alert)')],
	['cipher of 1.3', 'tls13', 'tls ciphers "TLS_CHACHA20_POLY1305_SHA256"',
		[], qr/ tls=TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 unverified$/m],
	['cipher of 1.2', 'tls12',
		'tls ciphers "ECDHE-ECDSA-AES256-GCM-SHA384"', [],
		qr/ tls=TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 unverified$/m],

	['client certificate by name said', 'needs', 'tls', [], $v13, $done],
	['client certificate by pki', 'needs', 'tls pki second.example', [],
		$v13, $done],
	['client certificate, TLS 1.2', 'needs12', 'tls', [],
		qr/tls=TLSv1.2/, $done],
	['client certificate, asked only', 'asks', 'tls',
		['-l', 'nobody.example'], $v13, $done],
	['client certificate, none', 'needs', 'tls',
		['-l', 'nobody.example'], fails('tls', $alert)],
	['client certificate, none, TLS 1.2', 'needs12', 'tls',
		['-l', 'nobody.example'], fails('tls', $alert)],
	['client certificate, of a stranger', 'needs', 'tls pki stranger', [],
		fails('tls', $alert)],
);

my %commands;
for (@rows) {
	my ($what, $host, $relay, $opt, @want) = @$_;
	my $before = () = $mx->commands($host);
	my $r = $c->send($host, relay => $relay, opt => $opt, head => $pki);

	my @bad = grep { $r->{out} !~ $_ } @want;
	ok !@bad && $r->{status} == 0, $what or diag "@bad\n$r->{out}$r->{err}";
	my @said = $mx->commands($host);
	@said = @said[$before .. $#said];
	ok !grep({ /^(MAIL|RCPT|DATA)/ } @said), "$what: nothing is said"
	    if $r->{out} !~ /^ready/m;
	$commands{$what} = join ' ', map { /^(\w+)/ } @said;
}

# What is learnt before TLS is asked for again under it.
is $commands{offered}, 'EHLO STARTTLS EHLO MAIL RCPT DATA QUIT',
    'EHLO once more';
is $commands{'must, injected'}, 'EHLO STARTTLS EHLO MAIL RCPT DATA QUIT',
    'what was injected in clear is not heard';
is $commands{'not wanted'}, 'EHLO MAIL RCPT DATA QUIT', 'no-tls';
is $commands{'must, stripped'}, 'EHLO', 'nothing in clear';

# Names: SNI, and who we are.
sub last_session {
	my ($host, $key) = @_;
	my @s = grep { exists $_->{$key} } $mx->sessions($host);
	return map { $_->{$key} } @s;
}
is +(last_session('good', 'sni'))[-1], 'mx.example.org', 'SNI is the name';
is_deeply [last_session('address', 'sni')], [], 'an address is no SNI';
is_deeply [last_session('needs', 'client')], ['client.example',
	'second.example'], 'certificates by name said, and by pki';

# The whole message under TLS, both ways of it.
my $body = join '', map { "line $_ " . 'x' x ($_ % 200) . "\n" } 1 .. 20000;
$c->send('good', relay => 'tls', body => $body);
(my $wire = $body) =~ s/\n/\r\n/g;
my @m = $mx->messages('good');
ok $m[-1]{data} eq $wire, 'two megabytes arrive';

# What is wrong in the configuration is said at once.
for (['pki nobody', qr/nobody/], ['tls verify ca "/dev/null"', qr/ca/]) {
	my $r = $c->send('good', relay => $_->[0], head => $pki);
	ok $r->{status} != 0 && "$r->{out}$r->{err}" =~ $_->[1],
	    "refused: $_->[0]" or diag $r->{out}, $r->{err};
}
done_testing;
