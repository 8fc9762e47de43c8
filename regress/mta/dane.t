# DANE (RFC 7672) from the zone to the message: a real name server with signed
# zones, hosts with certificates that match or do not, and the whole daemon.
# Mail goes only where a TLSA record says so, and never in clear where one is.
use strict;
use warnings;
use Test::More;
use Certs;
use Dns;
use FakeMX;
use Spoolkit;

my $port = Spoolkit::free_port();
my $certs = Certs->new;
my $ca = $certs->ca('a root');
my $other = $certs->ca('another root');
my $none = '00' x 32;
my %c;
for my $name (qw(ee ta)) {
	$c{$name} = $certs->make("$name.example.org", ca => $ca);
}
my $stranger = $certs->make('elsewhere.example', ca => $ca);
my $own = $certs->make('elsewhere.example');
my $old = $certs->make('taold.example.org', ca => $ca, expired => 1);
my $ee = sub { $certs->tlsa($_[0], 3, 1, 1) };
my $by = sub { $certs->tlsa($_[0], 2, 1, 1) };

# Host and domain of one name each: its TLSA record, what FakeMX is to do, and
# what is to come of mail to it: "tls", "clear", or the reason why it waits.
my @rows = (
	# Records that match.
	['ee', $ee->($c{ee}), { tls => $c{ee} }, 'tls'],
	['eeown', $ee->($own), { tls => $own }, 'tls'],
	['eeold', $ee->($old), { tls => $old }, 'tls'],
	['ta', $by->($ca), { tls => $c{ta} }, 'tls'],
	['some', "3 1 1 $none\n_$port._tcp.some TLSA " . $by->($other) .
	    "\n_$port._tcp.some TLSA " . $ee->($stranger),
	    { tls => $stranger }, 'tls'],
	# Those that do not.
	['wrong', $ee->($c{ee}), { tls => $stranger }, qr/TLSA/],
	['wrongta', $by->($other), { tls => $c{ta} }, qr/./],
	['wrongname', $by->($ca), { tls => $stranger }, qr/mismatch/],
	['taold', $by->($ca), { tls => $old }, qr/expired/],
	# No way out of TLS.
	['plain', $ee->($c{ee}), {}, qr/STARTTLS is not offered/],
	['refuses', $ee->($c{ee}), { tls => $c{ee}, STARTTLS => '454 4.7.0 no' },
	    qr/454/],
	['garbage', $ee->($c{ee}), { tls => 'garbage' }, qr/./],
	['nohello', $ee->($c{ee}), { tls => $c{ee}, EHLO => '502 5.5.1 what' },
	    qr/./],
	# Records of no use: TLS, with whom it may be.
	['odd', "1 1 1 $none", { tls => $stranger }, 'tls'],
	['oddplain', "1 1 1 $none", {}, qr/STARTTLS is not offered/],
	# No records: as ever.
	['free', undef, {}, 'clear'],
	['freetls', undef, { tls => $stranger }, 'tls'],
	# Records that must not be believed.
	['bogus', $ee->($c{ee}), { tls => $c{ee} },
	    qr/TLSA of bogus\.example\.org: DNSSEC: bogus/],
	['late', $ee->($c{ee}), { tls => $c{ee} },
	    qr/TLSA of late\.example\.org: DNSSEC: bogus.*expired/],
	['bare', $ee->($c{ee}), { tls => $c{ee} },
	    qr/TLSA of bare\.example\.org: DNSSEC: bogus/],
	['badmx', $ee->($c{ee}), { tls => $c{ee} },
	    qr/MX of badmx\.example\.org: DNSSEC: bogus/],
	['latemx', $ee->($c{ee}), { tls => $c{ee} },
	    qr/MX of latemx\.example\.org: DNSSEC: bogus.*expired/],
	['badhost', $ee->($c{ee}), { tls => $c{ee} },
	    qr/address of badhost\.example\.org: DNSSEC: bogus/],
);
my ($zone, $n) = ('', 20);
my %hosts;
for (@rows) {
	my ($name, $tlsa, $host) = @$_;
	$hosts{$name} = { addr => '127.0.0.' . ++$n, port => $port, %$host };
	$zone .= "$name A 127.0.0.$n\n$name MX 10 $name\n";
	$zone .= "_$port._tcp.$name TLSA $tlsa\n" if defined $tlsa;
}
$zone .= "second MX 10 wrong\nsecond MX 20 ee\n" .
    "alias MX 10 al\nal CNAME ee\n" .
    "onlybad MX 10 wrong\nonlybad MX 20 bogus\n";
my $dns = Dns->start(
	zones => {
		'example.org' => $zone,
		# Not signed: records there count for nothing, but those of
		# hosts that are signed do.
		'open.example.org' => "@ MX 10 mx\nmx A $hosts{free}{addr}\n" .
		    "_$port._tcp.mx TLSA 3 1 1 $none\n" .
		    "to MX 10 ee.example.org.\nbad MX 10 wrong.example.org.\n",
	},
	sign => { 'example.org' => {
		bogus => ["_$port._tcp.bogus TLSA", 'badmx MX', 'badhost A'],
		expired => ["_$port._tcp.late TLSA", 'latemx MX'],
		stripped => ["_$port._tcp.bare TLSA"],
	} });
my $mx = FakeMX->start(%hosts);
my $d = Spoolkit->start(env => { SMTPD_TEST_MX_PORT => $port,
	SMTPD_TEST_DEADLINE => 10000 }, 
    banner => 0, conf => <<"END");
resolver 127.0.0.1 port ${\ $dns->port}
trust-anchor "${\ anchor()}"
accept from any for domain "via.example" relay via "smtp://ee.example.org:$port"
accept from any for domain "viabad.example" \\
    relay via "smtp://wrong.example.org:$port"
accept from any for domain "notls.example" \\
    relay via "smtp://free.example.org:$port" no-tls
accept from any for any relay
END

sub anchor {
	chmod 0755, $dns->{dir};
	chmod 0644, $dns->anchor_file;
	return $dns->anchor_file;
}

# What became of mail to a domain: "tls" or "clear", or why it waits.
my %sent;
sub post {
	my ($domain) = @_;
	$sent{$domain} = 1;
	$d->send('ann@here.example', "bob\@$domain", "Subject: x\n\nx\n");
}

sub fate {
	my ($domain) = @_;
	my $fate;
	$d->wait(sub {
		for my $m ($mx->messages) {
			next unless grep { $_ eq "bob\@$domain" } @{ $m->{rcpts} };
			my ($s) = grep { $_->{n} == $m->{session} }
			    $mx->sessions($m->{host});
			$fate = $s->{tls} ? 'tls' : 'clear';
			return 1;
		}
		my (undef, $out) = $d->ctl('show', 'queue', '-j');
		for (split /\n/, $out) {
			$fate = $1 if /"rcpt":"bob\@\Q$domain\E"/ &&
			    /"error":\{[^}]*"text":"((?:[^"\\]|\\.)+)"/;
		}
		return defined $fate;
	}, 60);
	return $fate // 'nothing';
}

post("$_->[0].example.org") for @rows;
post($_) for qw(second.example.org alias.example.org onlybad.example.org
    open.example.org to.open.example.org bad.open.example.org via.example
    viabad.example notls.example);
for (@rows) {
	my ($name, undef, undef, $want) = @$_;
	my $got = fate("$name.example.org");
	if (ref $want) {
		like $got, $want, "$name: waits";
		like $got, qr/^4\d\d 4\./, "$name: for now";
	} else {
		is $got, $want, "$name: $want";
	}
}
is fate('second.example.org'), 'tls', 'the next host takes it';
is fate('alias.example.org'), 'tls', 'records of the name an alias leads to';
like fate('onlybad.example.org'), qr/^4/, 'no host is left';
is fate('open.example.org'), 'clear', 'records in an unsigned zone';
is fate('to.open.example.org'), 'tls', 'unsigned MX, signed host';
like fate('bad.open.example.org'), qr/^4.*TLSA/, 'unsigned MX, and no match';
is fate('via.example'), 'tls', 'relay via: its own records';
like fate('viabad.example'), qr/^4.*TLSA/, 'relay via: no match';
is fate('notls.example'), 'clear', 'no-tls';

# Never in clear: not one command about mail but within TLS.
for (@rows) {
	my ($name, $tlsa, undef, $want) = @$_;
	next if !defined $tlsa;
	my @bad = grep { !$_->{tls} && grep { $_->[1] eq 'C' &&
	    $_->[2] =~ /MAIL FROM|RCPT TO|DATA|BDAT/ } @{ $_->{events} } }
	    $mx->sessions($name);
	is scalar @bad, 0, "$name: nothing in clear";
}
is scalar(() = $mx->sessions($_)), 0, "$_: not even asked"
    for qw(bogus late bare badmx latemx badhost);
for (qw(ee eeold ta)) {
	ok scalar($d->logged(qr/"$_\.example\.org \[.*tls="TLSv1[^"]* dane"/)),
	    "$_: the log says what it was secured by";
}
$d->stop;

done_testing;
