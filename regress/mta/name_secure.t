# What the resolver of the dns role says of DNSSEC and DANE: a real nsd, zones
# that are signed on the fly, a trust anchor of their own.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempfile);
use Time::HiRes qw(time);
use Dns;

$ENV{ASAN_OPTIONS} = 'detect_leaks=0';
my $ask = "$ENV{BUILD}/spool/askname";
my $d1 = 'ab' x 32;
my $d2 = 'cd' x 64;
my $full = '30' x 700;

my $signed = <<"END";
@ MX 10 mx
mx A 127.0.0.2
mx AAAA ::1
_25._tcp.mx TLSA 3 1 1 $d1
_25._tcp.mx TLSA 2 1 1 $d1
_25._tcp.mx TLSA 3 0 2 $d2
two MX 10 ta
two MX 20 none
two MX 30 odd
ta A 127.0.0.3
_25._tcp.ta TLSA 2 0 0 $full
none A 127.0.0.4
odd A 127.0.0.5
_25._tcp.odd TLSA 0 0 1 $d1
_25._tcp.odd TLSA 1 1 1 $d1
_25._tcp.odd TLSA 3 1 1 abcd
_25._tcp.odd TLSA 3 2 1 $d1
_25._tcp.odd TLSA 3 1 3 $d1
some A 127.0.0.6
_25._tcp.some TLSA 1 1 1 $d1
_25._tcp.some TLSA 3 1 2 $d2
itself A 127.0.0.7
_25._tcp.itself TLSA 3 1 1 $d1
null MX 0 .
cn MX 5 www
www CNAME far
far CNAME mx
cn2 MX 5 own
own CNAME none
_25._tcp.own TLSA 3 1 1 $d1
cn3 MX 5 away
away CNAME mx.plain.example.org.
_25._tcp.away TLSA 3 1 1 $d1
cn4 MX 5 away4
away4 CNAME mx.plain.example.org.
shared MX 5 sh
sh A 127.0.0.8
_25._tcp.sh CNAME all._dane
all._dane TLSA 2 1 1 $d1
toplain MX 5 mx.plain.example.org.
alias CNAME two
aliasout CNAME plain.example.org.
bogusmx MX 5 mx
expmx MX 5 mx
bogusa MX 5 ba
bogusa MX 9 mx
onlyba MX 5 ba
ba A 127.0.0.9
half MX 5 hb
hb A 127.0.0.10
hb AAAA ::1
_25._tcp.hb TLSA 3 1 1 $d1
bogust MX 5 bt
bt A 127.0.0.11
_25._tcp.bt TLSA 3 1 1 $d1
expt MX 5 et
et A 127.0.0.12
_25._tcp.et TLSA 3 1 1 $d1
bare MX 5 br
br A 127.0.0.13
_25._tcp.br TLSA 3 1 1 $d1
many A 127.0.0.14
END
$signed .= sprintf "_25._tcp.many TLSA 3 1 1 %064x\n", $_ for 1 .. 20;

my $dns = Dns->start(
	zones => {
		'example.org' => $signed,
		'plain.example.org' => "@ MX 10 mx\n@ MX 20 mx.example.org.\n" .
		    "mx A 127.0.1.1\n_25._tcp.mx TLSA 3 1 1 $d1\n" .
		    "al CNAME mx.example.org.\nal2 MX 1 al\n",
		'sub.example.org' => "@ MX 10 mx\nmx A 127.0.1.2\n" .
		    "_25._tcp.mx TLSA 3 1 1 $d1\n",
		'late.example.org' => "@ MX 10 mx\nmx A 127.0.1.3\n",
		'wrong.example.org' => "@ MX 10 mx\nmx A 127.0.1.4\n",
		'hash.example.org' => "@ MX 10 mx\nmx A 127.0.1.5\n" .
		    "_25._tcp.mx TLSA 3 1 1 $d1\nitself A 127.0.1.6\n",
		'example.net' => "@ MX 10 mx\nmx A 127.0.2.1\n" .
		    "_25._tcp.mx TLSA 3 1 1 $d1\nx MX 1 mx.example.org.\n",
	},
	sign => {
		'example.org' => {
			bogus => ['bogusmx MX', 'ba A', 'hb AAAA',
			    '_25._tcp.bt TLSA'],
			expired => ['expmx MX', '_25._tcp.et TLSA'],
			stripped => ['_25._tcp.br TLSA'],
		},
		'sub.example.org' => {},
		'late.example.org' => { expired => 1 },
		'wrong.example.org' => { ds => 'wrong' },
		'hash.example.org' => { nsec3 => 1 },
	});
my $port = $dns->port; # whom ask() asks

sub ask {
	my ($kind, $anchor, $deadline, @names) = @_;
	local $ENV{ANCHOR} = $anchor;
	open my $p, '-|', $ask, $port, $deadline, '/dev/null', $kind, @names
	    or die;
	my %got = map { /^(.*?): (.*)/ ? ($1 => $2) : () } <$p>;
	close $p;
	is $?, 0, "askname @names";
	# Both families are asked for at once: either may come first.
	s/,::1,(127[\d.]+)/,$1,::1/g for values %got;
	return \%got;
}

my $a1 = 'abab';
my $mx = 'mx.example.org,127.0.0.2,::1 [secure tlsa=usable ' .
    "base=mx.example.org 3/1/1/$a1 3/0/2/cdcd 2/1/1/$a1]";
my $none = 'none.example.org,127.0.0.4 [secure tlsa=none]';
my $odd = 'odd.example.org,127.0.0.5 [secure tlsa=unusable ' .
    'base=odd.example.org]';
my $ta = 'ta.example.org,127.0.0.3 [secure tlsa=usable ' .
    'base=ta.example.org 2/0/0/3030]';
my $plain = 'mx.plain.example.org,127.0.1.1 [insecure tlsa=none]';
my %want = (
	'example.org' => "found secure 10 $mx",
	'two.example.org' => "found secure 10 $ta 20 $none 30 $odd",
	'itself.example.org' => 'found secure 0 itself.example.org,127.0.0.7 ' .
	    "[secure tlsa=usable base=itself.example.org 3/1/1/$a1]",
	'some.example.org' => 'found secure 0 some.example.org,127.0.0.6 ' .
	    '[secure tlsa=usable base=some.example.org 3/1/2/cdcd]',
	'null.example.org' =>
	    'null-mx secure (the domain takes no mail (null MX))',
	'cn.example.org' => 'found secure 5 ' .
	    ($mx =~ s/^mx/www/r),
	'cn2.example.org' => 'found secure 5 own.example.org,127.0.0.4 ' .
	    "[secure tlsa=usable base=own.example.org 3/1/1/$a1]",
	'cn3.example.org' => 'found secure 5 away.example.org,127.0.1.1 ' .
	    "[insecure tlsa=usable base=away.example.org 3/1/1/$a1]",
	'cn4.example.org' => 'found secure 5 away4.example.org,127.0.1.1 ' .
	    '[insecure tlsa=none]',
	'shared.example.org' => 'found secure 5 sh.example.org,127.0.0.8 ' .
	    "[secure tlsa=usable base=sh.example.org 2/1/1/$a1]",
	'toplain.example.org' => "found secure 5 $plain",
	'alias.example.org' => "found secure 10 $ta 20 $none 30 $odd",
	'aliasout.example.org' => "found insecure 10 $plain 20 $mx",
	'plain.example.org' => "found insecure 10 $plain 20 $mx",
	'al2.plain.example.org' => 'found insecure 1 al.plain.example.org,' .
	    '127.0.0.2,::1 [insecure tlsa=none]',
	'example.net' => 'found insecure 10 mx.example.net,127.0.2.1 ' .
	    '[insecure tlsa=none]',
	'x.example.net' => "found insecure 1 $mx",
	'sub.example.org' => 'found secure 10 mx.sub.example.org,127.0.1.2 ' .
	    "[secure tlsa=usable base=mx.sub.example.org 3/1/1/$a1]",
	'hash.example.org' => 'found secure 10 mx.hash.example.org,127.0.1.5 ' .
	    "[secure tlsa=usable base=mx.hash.example.org 3/1/1/$a1]",
	'itself.hash.example.org' => 'found secure 0 ' .
	    'itself.hash.example.org,127.0.1.6 [secure tlsa=none]',
	'gone.example.org' => 'none secure (gone.example.org does not exist)',
	'bogusa.example.org' => "found secure 9 $mx",
	'half.example.org' => 'found secure 5 hb.example.org,127.0.0.10 ' .
	    "[secure tlsa=usable base=hb.example.org 3/1/1/$a1]",
);
my $got = ask('mx', $dns->anchor_file, 20000, sort keys %want);
is $got->{$_}, $want{$_}, $_ for sort keys %want;

my %like = (
	'bogusmx.example.org' => qr/^temporary insecure \(MX of bogusmx\.example\.org: DNSSEC: bogus: .*bogusmx/,
	'expmx.example.org' => qr/^temporary insecure \(MX of expmx\.example\.org: DNSSEC: bogus: .*expired/,
	'onlyba.example.org' => qr/^temporary secure \(address of ba\.example\.org: DNSSEC: bogus: /,
	'bogust.example.org' => qr/^found secure 5 bt\.example\.org,127\.0\.0\.11 \[secure tlsa=trouble text="TLSA of bt\.example\.org: DNSSEC: bogus: .*"\]$/,
	'expt.example.org' => qr/^found secure 5 .*tlsa=trouble text="TLSA of et\.example\.org: DNSSEC: bogus: .*expired/,
	'bare.example.org' => qr/^found secure 5 .*tlsa=trouble text="TLSA of br\.example\.org: DNSSEC: bogus: .*may not pass/,
	'late.example.org' => qr/^temporary insecure \(MX of late\.example\.org: DNSSEC: bogus: /,
	'wrong.example.org' => qr/^temporary insecure \(MX of wrong\.example\.org: DNSSEC: bogus: /,
);
$got = ask('mx', $dns->anchor_file, 20000, sort keys %like);
like $got->{$_}, $like{$_}, $_ for sort keys %like;

my %host = (
	'mx.example.org' => "found secure 0 $mx",
	'www.example.org' => 'found secure 0 ' . ($mx =~ s/^mx/www/r),
	'mx.plain.example.org' => "found insecure 0 $plain",
	'away.example.org' => 'found insecure 0 away.example.org,127.0.1.1 ' .
	    "[insecure tlsa=usable base=away.example.org 3/1/1/$a1]",
);
$got = ask('address', $dns->anchor_file, 20000, sort keys %host);
is $got->{$_}, $host{$_}, "host $_" for sort keys %host;

$got = ask('address', $dns->anchor_file, 20000, 'many.example.org');
is scalar(() = $got->{'many.example.org'} =~ m{3/1/1/}g), 16,
    'at most 16 records of a host';

# Without an anchor it is as if nobody had signed: even what is bogus serves.
{
	open my $p, '-|', $ask, $port, 20000, '/dev/null', 'mx',
	    'example.org', 'bogusmx.example.org' or die;
	my @lines = sort <$p>;
	close $p;
	s/,::1,(127[\d.]+)/,$1,::1/ for @lines;
	is join('', @lines),
	    "bogusmx.example.org: found 5 mx.example.org,127.0.0.2,::1\n" .
	    "example.org: found 10 mx.example.org,127.0.0.2,::1\n",
	    'without an anchor nothing is validated';
}

# An anchor that is not the zone's.
my ($f, $other) = tempfile(UNLINK => 1);
print $f $dns->anchor =~ s/([0-9a-f]{8})$/reverse $1/er;
close $f;
$got = ask('mx', $other, 20000, 'example.org', 'example.net');
like $got->{'example.org'}, qr/^temporary .*DNSSEC: bogus/, 'a wrong anchor';
is $got->{'example.net'}, $want{'example.net'}, 'and what is not below it';

# Trouble on the way: what does not come is never taken for absence.
my $way = Dns->between($dns, drop => qr/^_25\._tcp\.(mx|itself)\.e.* TLSA$/,
    servfail => qr/^_25\._tcp\.ta\.e.* TLSA$|^hb\.e.* AAAA$|^plain.* MX$/);
$port = $way->port;
$got = ask('mx', $dns->anchor_file, 3000, 'example.org', 'two.example.org',
    'half.example.org', 'plain.example.org', 'x.example.net');
like $got->{'example.org'}, qr/^found secure 10 mx\.example\.org,127\.0\.0\.2,::1 \[secure tlsa=trouble text="TLSA of mx\.example\.org: no answer in time"\]$/,
    'TLSA that do not come';
like $got->{'x.example.net'}, qr/^found insecure 1 mx.*tlsa=trouble text="TLSA of mx\.example\.org: no answer in time"/,
    'nor for an MX that is not secure';
is $got->{'two.example.org'} =~ s/".*"/"-"/r, 'found secure 10 ta.example.org,127.0.0.3 ' .
    "[secure tlsa=trouble text=\"-\"] 20 $none 30 $odd", 'SERVFAIL for TLSA';
like $got->{'two.example.org'}, qr/"TLSA of ta\.example\.org: no name server/, 'its reason';
is $got->{'half.example.org'}, $want{'half.example.org'}, 'SERVFAIL for AAAA';
like $got->{'plain.example.org'}, qr/^temporary .*MX of plain\.example\.org: no name server/, 'SERVFAIL for MX';
$way->stop;

# Nothing is asked in vain where nothing is secure: no TLSA is waited for.
$way = Dns->between($dns, drop => qr/ (TLSA|CNAME)$/);
$port = $way->port;
my $start = time;
$got = ask('mx', $dns->anchor_file, 30000, 'example.net');
is $got->{'example.net'}, $want{'example.net'}, 'insecure: no wait';
cmp_ok time - $start, '<', 20, 'by the clock';
$way->stop;

# A forwarder that does not pass signatures on.
$way = Dns->between($dns, strip => 1);
$port = $way->port;
$got = ask('mx', $dns->anchor_file, 20000, 'example.org', 'example.net');
like $got->{'example.org'}, qr/^temporary .*MX of example\.org: DNSSEC: bogus: .*the resolver may not pass signatures on/,
    'signatures are stripped: said so';
is $got->{'example.net'}, $want{'example.net'}, 'outside of the anchor it serves';
$way->stop;
$port = $dns->port;

# Anchors that nobody can use.
for (['' => 'there is no DS or DNSKEY record'], ["example.org. IN DS 1 2\n" =>
    'line 1: a DS record has'], ["; one\n\nexample.org. A 127.0.0.1\n" =>
    'line 3: not a DS or DNSKEY record']) {
	my ($text, $why) = @$_;
	my ($g, $path) = tempfile(UNLINK => 1);
	print $g $text;
	close $g;
	local $ENV{ANCHOR} = $path;
	my $said = `$ask $port 1000 /dev/null mx example.org 2>&1`;
	like $said, qr/^trust anchor: .*\Q$why\E/, "anchor: $why";
}

done_testing;
