package Certs;

# Certs - certificates for tests, made by openssl(1)
#
#   my $c = Certs->new;                 # a directory, gone at the end
#   my $ca = $c->ca('root');            # trusted by whom you tell to
#   my $mx = $c->make('mx.example.org', ca => $ca);
#   my $me = $c->make('self.example');  # self-signed
#   my $old = $c->make('old.example', ca => $ca, expired => 1);
#   my $new = $c->make('a.example', key => $mx);   # the key of another one
#   my $mid = $c->ca('mid', ca => $ca);            # an intermediate one
#   $mx->{cert}, $mx->{key}, $mx->{name}           # files, PEM
#   $mx->{chain}                        # cert and all that it hangs on
#   $c->tlsa($mx, 3, 1, 1)              # "3 1 1 0a1b.." as in a zone
#
# Keys are of the curve P-256, which are made at once. Names: the common name,
# and as subjectAltName a DNS name, or an address with ip => '127.0.0.1'. Keys
# can be read by their owner alone: the user as which the daemon of a test runs,
# but with new(mine => 1) who runs the test.

use strict;
use warnings;

use Digest::SHA;
use File::Temp qw(tempdir);

my $count = 0;

sub new {
	my ($class, %o) = @_;
	my $dir = tempdir('certs.XXXXXX', TMPDIR => 1, CLEANUP => 1);

	chmod 0755, $dir;
	return bless { dir => $dir, mine => $o{mine} }, $class;
}

sub dir { $_[0]{dir} }

sub run {
	my @words = @_;
	my $text = '';

	open my $p, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @words
	    or die "$words[0]: $!\n";
	while (defined(my $line = <$p>)) {
		$text .= $line;
	}
	close $p or die "@words: $text\n";
	return $text;
}

sub spew {
	my ($path, $text) = @_;
	open my $f, '>', $path or die "$path: $!\n";
	print $f $text;
	close $f;
}

sub slurp {
	my ($path) = @_;
	open my $f, '<', $path or die "$path: $!\n";
	local $/;
	return scalar <$f>;
}

sub ca {
	my ($self, $name, %o) = @_;
	return $self->make($name, %o, is_ca => 1);
}

sub make {
	my ($self, $name, %o) = @_;
	my $n = ++$count;
	my $base = "$self->{dir}/$n";
	my %c = (name => $name, cert => "$base.pem",
		key => $o{key} ? $o{key}{key} : "$base.key",
		chain => "$base.chain", ca => $o{ca});

	run('openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout',
		'-out', $c{key}) unless $o{key};
	chmod 0600, $c{key};
	# As which the daemon runs in tests that root runs.
	chown +(getpwnam 'nobody')[2, 3], $c{key}
	    if $> == 0 && !$self->{mine};
	my $san = $o{ip} ? "IP:$o{ip}" : "DNS:$name";
	spew("$base.ext", "[v]\nsubjectKeyIdentifier=hash\n" . ($o{is_ca}
	    ? "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
	    : "basicConstraints=CA:FALSE\nsubjectAltName=$san\n"));
	run('openssl', 'req', '-new', '-key', $c{key}, '-subj', "/CN=$name",
		'-out', "$base.csr");
	if ($o{expired}) {
		$self->sign_expired(\%c, $base, $n);
	} else {
		run('openssl', 'x509', '-req', '-in', "$base.csr",
			'-out', $c{cert}, '-days', 3650, '-sha256',
			'-set_serial', $n + 1000, '-extfile', "$base.ext",
			'-extensions', 'v', $o{ca}
			? ('-CA', $o{ca}{cert}, '-CAkey', $o{ca}{key})
			: ('-signkey', $c{key}));
	}
	my $chain = slurp($c{cert});
	for (my $x = $o{ca}; $x; $x = $x->{ca}) {
		$chain .= slurp($x->{cert});
	}
	spew($c{chain}, $chain);
	return \%c;
}

# openssl-ca(1) alone takes both dates.
sub sign_expired {
	my ($self, $c, $base, $n) = @_;
	my $ca = $c->{ca};

	spew("$base.cnf", join "\n", '[ca]', 'default_ca = one', '[one]',
		"database = $base.index", "new_certs_dir = $self->{dir}",
		"serial = $base.serial", 'default_md = sha256', 'policy = any',
		'[any]', 'commonName = supplied', '');
	spew("$base.index", '');
	spew("$base.serial", sprintf "%04X\n", $n + 5000);
	run('openssl', 'ca', '-batch', '-notext', '-config', "$base.cnf",
		'-in', "$base.csr", '-out', $c->{cert},
		'-keyfile', $ca ? $ca->{key} : $c->{key},
		$ca ? ('-cert', $ca->{cert}) : '-selfsign',
		'-startdate', '20200101000000Z', '-enddate', '20210101000000Z',
		'-extfile', "$base.ext", '-extensions', 'v');
}

sub der {
	my (@words) = @_;
	open my $p, '-|', @words or die "$words[0]: $!\n";
	binmode $p;
	local $/;
	my $octets = <$p>;
	close $p or die "@words failed\n";
	return $octets;
}

# The TLSA record of a certificate, as text.
sub tlsa {
	my ($self, $c, $usage, $selector, $matching) = @_;
	my $octets = $selector == 0
	    ? der('openssl', 'x509', '-in', $c->{cert}, '-outform', 'DER')
	    : der('sh', '-c', 'openssl x509 -in "$1" -noout -pubkey | ' .
		'openssl pkey -pubin -outform DER', 'sh', $c->{cert});

	$octets = Digest::SHA::sha256($octets) if $matching == 1;
	$octets = Digest::SHA::sha512($octets) if $matching == 2;
	return "$usage $selector $matching " . unpack 'H*', $octets;
}

1;
