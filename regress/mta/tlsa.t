# DANE (RFC 7672) of a session: which certificates match which records, what is
# never heeded, and that nothing goes in clear.
use strict;
use warnings;
use Test::More;
use Certs;
use Connsend;
use FakeMX;

my $certs = Certs->new(mine => 1);
my $ca = $certs->ca('root');
my $mid = $certs->ca('intermediate', ca => $ca);
my $other = $certs->ca('another root');
my $name = 'mx.example.org';
my $good = $certs->make($name, ca => $mid);
my $own = $certs->make($name);
my $old = $certs->make($name, ca => $mid, expired => 1);
my $oldown = $certs->make($name, expired => 1);
my $alien = $certs->make('mx.example.net', ca => $mid);
my $alienown = $certs->make('mx.example.net');
my $rolled = $certs->make($name, ca => $other, key => $good);

my $mx = FakeMX->start(
	good => { tls => $good }, own => { tls => $own },
	old => { tls => $old }, oldown => { tls => $oldown },
	alien => { tls => $alien }, alienown => { tls => $alienown },
	rolled => { tls => $rolled },
	leaf => { tls => { cert => $good->{cert}, key => $good->{key} } },
	plain => {}, stripped => { tls => $good, starttls => 0 },
	refuses => { tls => $good, STARTTLS => '454 4.7.0 no' },
	garbage => { tls => 'garbage' },
	smtps => { tls => $good, implicit => 1 },
);
my $c = Connsend->new($mx);
sub t { return ('-t', $certs->tlsa(@_)) }

my $done = qr/^ready messages=0 tls=TLSv1\.3 \S+ dane\n(.*\n)*done bob/m;
my $seen = qr/^ready messages=0 tls=TLSv1\.3 \S+ unverified\n(.*\n)*done bob/m;
my $wrong = '3 1 1 ' . '5a' x 32;
my $no_match = 'the certificate matches no TLSA record';
my $trust = qq{tls verify ca "$ca->{cert}"};

# what, host, records, words of the relay, what comes of it: ok (matched),
# seen (TLS, not matched), or the reason
my @rows = (
	['record 3 1 1', 'good', [t($good, 3, 1, 1)], '', 'ok'],
	['record 3 0 1', 'good', [t($good, 3, 0, 1)], '', 'ok'],
	['record 3 1 2', 'good', [t($good, 3, 1, 2)], '', 'ok'],
	['record 3 1 0', 'good', [t($good, 3, 1, 0)], '', 'ok'],
	['record 3 0 0', 'good', [t($good, 3, 0, 0)], '', 'ok'],
	['3 1 1, own certificate', 'own', [t($own, 3, 1, 1)], '', 'ok'],
	['3 1 1, another one', 'own', [t($good, 3, 1, 1)], '', $no_match],
	['3 1 1, expired', 'old', [t($old, 3, 1, 1)], '', 'ok'],
	['3 1 1, expired, own', 'oldown', [t($oldown, 3, 1, 1)], '', 'ok'],
	['3 1 1, another name', 'alien', [t($alien, 3, 1, 1)], '', 'ok'],
	['3 1 1, another name, own', 'alienown', [t($alienown, 3, 1, 1)], '',
		'ok'],
	['3 1 1, the key in a new certificate', 'rolled',
		[t($good, 3, 1, 1)], '', 'ok'],
	['3 0 1, the key in a new certificate', 'rolled',
		[t($good, 3, 0, 1)], '', $no_match],
	['3 1 1, mismatch', 'good', ['-t', $wrong], '', $no_match],
	['one of two', 'good', ['-t', $wrong, t($good, 3, 1, 1)], '', 'ok'],
	['none of two', 'good', ['-t', $wrong, t($own, 3, 1, 1)], '',
		$no_match],
	['3 1 1 of the authority', 'good', [t($mid, 3, 1, 1)], '', $no_match],

	['record 2 1 1', 'good', [t($ca, 2, 1, 1)], '', 'ok'],
	['2 1 1, intermediate', 'good', [t($mid, 2, 1, 1)], '', 'ok'],
	['record 2 0 1', 'good', [t($ca, 2, 0, 1)], '', 'ok'],
	['2 1 1, another root', 'good', [t($other, 2, 1, 1)], '', $no_match],
	['2 1 1, expired', 'old', [t($ca, 2, 1, 1)], '',
		'certificate: certificate has expired'],
	['2 1 1, another name', 'alien', [t($ca, 2, 1, 1)], '',
		'certificate: hostname mismatch'],
	['2 1 1, not in the chain', 'leaf', [t($ca, 2, 1, 1)], '',
		'certificate: |matches no'],
	['2 1 1 of the host itself', 'own', [t($own, 2, 1, 1)], '', $no_match],

	['unusable', 'own', ['-T'], '', 'seen'],
	['none that is understood', 'own', ['-t', '3 1 1 00'], '', 'seen'],
	['none of a known matching', 'own', ['-t', '3 1 9 00'], '', 'seen'],
	['usage 1 alone', 'own', ['-t', '1 1 1 ' . '00' x 32], '', 'seen'],

	['not offered', 'plain', [t($good, 3, 1, 1)], '', 'TLS is required'],
	['not offered, unusable', 'plain', ['-T'], '', 'TLS is required'],
	['stripped', 'stripped', [t($good, 3, 1, 1)], '', 'TLS is required'],
	['reply 454', 'refuses', [t($good, 3, 1, 1)], '',
		'TLS is required, and STARTTLS fails: 454'],
	['garbage', 'garbage', [t($good, 3, 1, 1)], '', 'wrong version'],
	['garbage, unusable', 'garbage', ['-T'], '', 'wrong version'],
	['failed in clear lately', 'good', ['-C', t($good, 3, 1, 1)], '',
		'ok'],

	['and verify', 'good', [t($good, 3, 1, 1)], $trust, 'ok'],
	['and verify, which fails', 'own', [t($own, 3, 1, 1)], $trust,
		'certificate: self-signed'],
	['and verify, another name', 'alien', [t($alien, 3, 1, 1)], $trust,
		'certificate: hostname mismatch'],
	['and verify, expired', 'old', [t($old, 3, 1, 1)], $trust,
		'certificate: certificate has expired'],
	['mismatch, verified', 'good', ['-t', $wrong], $trust, $no_match],
	['unusable, verified', 'own', ['-T'], $trust,
		'certificate: self-signed'],
	['smtps', 'smtps', [t($good, 3, 1, 1)], 'via "smtps://%HOST%"', 'ok'],
	['smtps, mismatch', 'smtps', ['-t', $wrong], 'via "smtps://%HOST%"',
		$no_match],
);
for (@rows) {
	my ($what, $host, $records, $relay, $want) = @$_;
	my $r = $c->send($host, relay => $relay, opt => ['-n', $name,
		'-b', $name, @$records]);
	my $re = $want eq 'ok' ? $done : $want eq 'seen' ? $seen
	    : qr/^closed tls: 451 4\.7\.\d host: (TLS: )?.*($want)/m;
	like $r->{out}, $re, $what or diag $r->{err};
	unlike $r->{out}, qr/^ready/m, "$what: nothing is said"
	    if $want ne 'ok' && $want ne 'seen';
}
is scalar(grep { /^MAIL/ } map { $mx->commands($_) } qw(plain stripped refuses
    garbage)), 0, 'never in clear';

# The name to be verified is that of the records, and of the host in MX.
my $r = $c->send('good', opt => ['-n', 'alias.example.org', '-b', $name,
	t($ca, 2, 1, 1)]);
like $r->{out}, $done, 'the base domain';
$r = $c->send('good', opt => ['-n', $name, '-b', 'real.example.org',
	t($ca, 2, 1, 1)]);
like $r->{out}, $done, 'or the name in MX';
is +($mx->sessions('good'))[-1]{sni}, 'real.example.org', 'SNI is the base';

# no-tls is what an administrator says for a host whose DANE is broken.
$r = $c->send('plain', relay => 'no-tls', opt => ['-n', $name, '-b', $name,
	t($good, 3, 1, 1)]);
like $r->{out}, qr/^ready messages=0 tls=\n/m, 'no-tls';
done_testing;
