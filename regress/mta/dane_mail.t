# DANE from signed zones to the wire: mail leaves only to a host whose
# certificate matches, or waits and says why; never in clear.
use strict;
use warnings;
use Test::More;
use Certs;
use Dns;
use FakeMX;
use Spoolkit;

my $certs = Certs->new;
my $ca = $certs->ca('root');
my $port = Spoolkit::free_port();
my @names = qw(m311 m211 m301 mismatch expired2 expired3 stripped garbage
    unusable rrsig bogus insecure two other);
my %cert = map { $_ => $certs->make("$_.example.org", ca => $ca,
	expired => /^expired/ ? 1 : 0) } @names;
my (%hosts, %addr);
my $n = 20;
for (@names) {
	$addr{$_} = '127.0.0.' . ++$n;
	$hosts{$_} = { addr => $addr{$_}, port => $port, tls => $cert{$_} };
}
delete $hosts{stripped}{tls};
$hosts{garbage}{tls} = 'garbage';
$hosts{other}{tls} = $certs->make('elsewhere.example', ca => $ca);

my %tlsa = (
	m311 => [$certs->tlsa($cert{m311}, 3, 1, 1)],
	m211 => [$certs->tlsa($ca, 2, 1, 1)],
	m301 => [$certs->tlsa($cert{m301}, 3, 0, 1)],
	mismatch => [$certs->tlsa($cert{m311}, 3, 1, 1)],
	expired2 => [$certs->tlsa($ca, 2, 1, 1)],
	expired3 => [$certs->tlsa($cert{expired3}, 3, 1, 1)],
	stripped => [$certs->tlsa($cert{stripped}, 3, 1, 1)],
	garbage => [$certs->tlsa($cert{garbage}, 3, 1, 1)],
	unusable => [$certs->tlsa($cert{m311}, 1, 1, 1)],
	rrsig => [$certs->tlsa($cert{rrsig}, 3, 1, 1)],
	bogus => [$certs->tlsa($cert{bogus}, 3, 1, 1)],
	two => [$certs->tlsa($cert{m311}, 3, 1, 1),
		$certs->tlsa($cert{two}, 3, 1, 1)],
	other => [$certs->tlsa($ca, 2, 1, 1)],
);
my $zone = '';
for my $name (grep { !/insecure/ } @names) {
	$zone .= "$name A $addr{$name}\n";
	$zone .= "$name MX 10 $name\n";
	$zone .= "_$port._tcp.$name TLSA $_\n" for @{ $tlsa{$name} // [] };
}
$zone .= "alias CNAME m211\nbyalias MX 10 alias\n" .
    "_$port._tcp.alias TLSA $tlsa{m211}[0]\n";
my $dns = Dns->start(
	zones => { 'example.org' => $zone, 'example.net' => <<"END" },
insecure A $addr{insecure}
insecure MX 10 insecure
_$port._tcp.insecure TLSA $tlsa{mismatch}[0]
END
	sign => { 'example.org' => {
		bogus => ["_$port._tcp.bogus TLSA"],
		expired => ["_$port._tcp.rrsig TLSA"] } });
my $mx = FakeMX->start(%hosts);
my $anchor = $certs->dir . '/anchor';
Dns::put($anchor, $dns->anchor);
chmod 0644, $anchor;
my $d = Spoolkit->start(env => { SMTPD_TEST_MX_PORT => $port,
	SMTPD_TEST_DEADLINE => 10000 }, vars => { ANCHOR => $anchor },
    conf => <<"END");
resolver 127.0.0.1 port ${\ $dns->port}
trust-anchor "%ANCHOR%"
accept from any for domain "via.example" relay via "smtp://m311.example.org:$port"
accept from any for domain "viabad.example" \\
    relay via "smtp://mismatch.example.org:$port"
accept from any for any relay
END

# name => what comes of it: dane (matched), unverified (TLS, whoever answers),
# or why it waits
my %want = (
	m311 => 'dane', m211 => 'dane', m301 => 'dane', two => 'dane',
	expired3 => 'dane', insecure => 'unverified', unusable => 'unverified',
	mismatch => 'matches no TLSA record',
	expired2 => 'certificate has expired',
	other => 'hostname mismatch',
	stripped => 'TLS is required, and STARTTLS is not offered',
	garbage => 'wrong version number',
	rrsig => 'TLSA|DNSSEC|validat|bogus|signature',
	bogus => 'TLSA|DNSSEC|validat|bogus|signature',
);
for (sort keys %want) {
	my $domain = $_ eq 'insecure' ? 'insecure.example.net'
	    : "$_.example.org";
	$d->send('ann@here.example', "bob\@$domain", "Subject: $_\n\nhello\n");
}
$d->send('ann@here.example', "bob\@$_", "Subject: $_\n\nhello\n")
    for qw(byalias.example.org via.example viabad.example);

sub error_of {
	my ($to) = @_;
	my ($e) = grep { ($_->{recipient} // $_->{rcpt} // '') eq $to }
	    $d->queue;
	($e) = grep { JSON::PP->new->encode($_) =~ /\Q$to\E/ } $d->queue
	    unless $e;
	return $e ? JSON::PP->new->encode($e) : '';
}
for my $name (sort keys %want) {
	my $want = $want{$name};
	if ($want eq 'dane' || $want eq 'unverified') {
		ok $d->wait(sub { scalar $mx->messages($name) }, 60),
		    "$name: delivered";
		my ($s) = $mx->sessions($name);
		like $s->{tls} // '', qr/^TLS/, "$name: over TLS";
		ok $d->wait_log(qr/event=connected .*$addr{$name}\].*tls="TLS\S+ \S+ $want"/, 10),
		    "$name: $want";
		next;
	}
	my $to = "bob\@$name.example.org";
	ok $d->wait(sub { error_of($to) =~ /$want/ }, 60),
	    "$name: waits, and says why" or diag error_of($to);
	is scalar($mx->messages($name)), 0, "$name: nothing arrives";
	is scalar(grep { /^MAIL/ } $mx->commands($name)), 0,
	    "$name: not a word in clear";
}
ok $d->wait(sub { $mx->messages('m211') == 2 }, 60), 'by an alias';
ok $d->wait(sub { $mx->messages('m311') == 2 }, 60),
    'relay via a name has its records as well';
ok $d->wait(sub { error_of('bob@viabad.example') =~ /matches no TLSA/ }, 60),
    'and they count' or diag error_of('bob@viabad.example');
$d->stop;
done_testing;
