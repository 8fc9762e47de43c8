package Dns;
# A real nsd on a loopback port, serving the zones of a test.
#
#   my $dns = Dns->start(zones => { 'example.org' => <<'Z' });
#   @ MX 10 mx
#   mx A 127.0.0.2
#   Z
#
# Each zone gets its SOA and NS by itself. Serves port() until the object goes.
# A name server that keeps silent is Dns->silent(port).
#
# Signed zones, for DNSSEC and DANE:
#
#   my $dns = Dns->start(
#       zones => { 'example.org' => ..., 'plain.example.org' => ... },
#       sign => { 'example.org' => { bogus => ['mx A'] } });
#   trust-anchor "FILE": $dns->anchor_file; its text: $dns->anchor
#
# sign lists the zones to be signed. A zone below a signed one is delegated to,
# with a DS record when it is signed too, without one (so insecure) when it is
# not. The anchors are DS records of the signed zones with no signed one above;
# what is below none of them is insecure. What can be asked of a signed zone:
#
#   bogus => ['mx A', '_25._tcp.mx TLSA'] the signature is wrong of these sets
#   expired => ['@ MX'], or 1 for all     it ended ten days ago
#   stripped => ['mx A']                  it is missing
#   nsec3 => 1                            instead of NSEC
#   ds => 'wrong'                         the parent's DS is of another key
#
# Names are relative to the zone, or absolute with a final dot.
#
#   Dns::tlsa(3, 1, 1, $pem)  "3 1 1 ab12..." of a certificate (file or text)
#   Dns::tlsa(2, 1, 1, $ca)
#   my $p = Dns->between($dns, drop => qr/^_25/, servfail => qr/ AAAA$/,
#       strip => 1)           a forwarder at its own port() that spoils things:
#                             patterns of "name TYPE"; strip: asks without
#                             DNSSEC, as old forwarders do
#   $dns->change('example.org', $text)  another text, served when it returns;
#                                       signed again in the same way
use strict;
use warnings;
use Digest::SHA qw(sha256_hex sha512_hex);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(sleep time);

sub nsd { return (grep { -x } qw(/usr/sbin/nsd /usr/local/sbin/nsd))[0] }

sub start {
	my ($class, %o) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my $nsd = nsd() or die "nsd is not installed: make deps\n";
	my $port = $o{port} // free_port();
	my $conf = <<"END";
server:
	ip-address: 127.0.0.1\@$port
	username: ""
	chroot: ""
	zonesdir: "$dir"
	database: ""
	pidfile: "$dir/nsd.pid"
	xfrdfile: "$dir/xfrd.state"
	zonelistfile: "$dir/zone.list"
	logfile: "$dir/log"
	server-count: 1
	do-ip6: no
	rrl-ratelimit: 0
remote-control:
	control-enable: no
END
	my $self = bless { dir => $dir, port => $port, owner => $$, serial => 1,
	    zones => { %{ $o{zones} } }, sign => $o{sign} // {},
	    keys => {} }, $class;
	$self->new_key($_) for sort keys %{ $self->{sign} };
	for my $zone (sort keys %{ $o{zones} }) {
		$conf .= "zone:\n\tname: \"$zone\"\n\tzonefile: \"$zone.zone\"\n";
		$self->write_zone($zone);
	}
	put("$dir/nsd.conf", $conf);
	put($self->anchor_file, $self->anchor) if %{ $self->{sign} };
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>>', "$dir/log";
		exec $nsd, '-d', '-c', "$dir/nsd.conf" or die "nsd: $!";
	}
	$self->{pid} = $pid;
	my $zone = (sort keys %{ $o{zones} })[0];
	my $until = time + 60;
	until ($self->answers($zone)) {
		die "nsd does not answer: " . get("$dir/log") if time > $until;
		sleep 0.05;
	}
	return $self;
}

sub port { return $_[0]{port} }

# Free for UDP and TCP alike, below those given to clients.
sub free_port {
	for (1 .. 1000) {
		my $port = 20000 + int rand 10000;
		my $u = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
		    Proto => 'udp') or next;
		my $t = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
		    Proto => 'tcp', Listen => 1) or next;
		return $port;
	}
	die "no free port\n";
}

# A port where questions arrive and nothing comes back.
sub silent {
	my ($class, $port) = @_;
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
	    Proto => 'udp') or die "port $port: $!";
	return bless { socket => $s, port => $port, owner => $$ }, $class;
}

sub between {
	my ($class, $dns, %o) = @_;
	my %type = (1 => 'A', 2 => 'NS', 5 => 'CNAME', 6 => 'SOA', 15 => 'MX',
	    28 => 'AAAA', 43 => 'DS', 48 => 'DNSKEY', 52 => 'TLSA');
	my $port = $o{port} // free_port();
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
	    Proto => 'udp') or die "port $port: $!";
	my $pid = fork // die "fork: $!";
	return bless { pid => $pid, port => $port, owner => $$ }, $class if $pid;
	$SIG{TERM} = sub { POSIX::_exit(0) };
	while (1) {
		my $q;
		my $from = $s->recv($q, 4096) or next;
		my ($at, @labels) = (12);
		while (my $n = ord substr $q, $at, 1) {
			push @labels, substr $q, $at + 1, $n;
			$at += $n + 1;
		}
		my $t = unpack 'n', substr $q, $at + 1, 2;
		my $what = lc(join '.', @labels) . ' ' . ($type{$t} // $t);
		next if $o{drop} && $what =~ $o{drop};
		if ($o{servfail} && $what =~ $o{servfail}) {
			substr($q, 2, 2) = pack 'n', 0x8182;
			substr($q, 10, 2) = pack 'n', 0;
			$s->send(substr($q, 0, $at + 5), 0, $from);
			next;
		}
		if ($o{strip}) {
			substr($q, 10, 2) = pack 'n', 0;
			$q = substr $q, 0, $at + 5;
		}
		my $up = IO::Socket::INET->new(
		    PeerAddr => "127.0.0.1:$dns->{port}", Proto => 'udp')
		    or next;
		$up->send($q);
		my ($in, $a) = ('');
		vec($in, fileno($up), 1) = 1;
		select($in, undef, undef, 5) > 0 && defined $up->recv($a, 65535)
		    or next;
		$s->send($a, 0, $from);
	}
}

# The serial number that is served; -1 while there is no answer.
sub answers { return $_[0]->serial($_[1]) >= 0 }

sub serial {
	my ($self, $zone) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}",
	    Proto => 'udp') or return -1;
	my $q = pack('n6', 4711, 0, 1, 0, 0, 0) .
	    join('', map { chr(length) . $_ } split(/\./, $zone)) .
	    "\0" . pack('n2', 6, 1);
	$s->send($q) or return -1;
	my $in = '';
	vec($in, fileno($s), 1) = 1;
	return -1 unless select($in, undef, undef, 0.2) > 0;
	my $a;
	return -1 unless defined $s->recv($a, 512) && length($a) > 12;
	my ($id, $flags, undef, $n) = unpack('n4', $a);
	return -1 if $id != 4711 || ($flags & 15) != 0 || $n != 1;
	# The SOA is compressed to fit; its five numbers end the answer section.
	my $at = length $q;
	$at += ord(substr $a, $at, 1) + 1
	    while ord(substr $a, $at, 1) > 0 && ord(substr $a, $at, 1) < 0xc0;
	$at += ord(substr $a, $at, 1) == 0 ? 1 : 2;
	return unpack 'N', substr $a, $at + 10 + unpack('n', substr $a, $at + 8) - 20;
}

sub anchor_file { return "$_[0]{dir}/anchor" }

sub anchor {
	my ($self) = @_;
	return join '', map { get("$self->{dir}/$self->{keys}{$_}.ds") }
	    grep { !defined $self->signed_above($_) }
	    sort keys %{ $self->{sign} };
}

sub change {
	my ($self, $zone, $text) = @_;
	$self->{zones}{$zone} = $text;
	$self->{serial}++;
	$self->write_zone($zone);
	kill 'HUP', $self->{pid};
	my $until = time + 30;
	until ($self->serial($zone) == $self->{serial}) {
		die 'nsd does not reload: ' . get("$self->{dir}/log")
		    if time > $until;
		sleep 0.05;
	}
}

sub tlsa {
	my ($usage, $selector, $matching, $pem) = @_;
	$pem = get($pem) if $pem !~ /-----BEGIN/;
	if ($selector == 1) {
		my $dir = tempdir(CLEANUP => 1);
		put("$dir/pem", $pem);
		$pem = `openssl x509 -in $dir/pem -noout -pubkey`;
	}
	my ($der) = $pem =~ /-----BEGIN[^\n]*\n(.*?)-----END/s
	    or die "no certificate in: $pem\n";
	$der = decode_base64($der);
	return "$usage $selector $matching " . ($matching == 1 ? sha256_hex($der) :
	    $matching == 2 ? sha512_hex($der) : unpack('H*', $der));
}

# What is wrong on purpose must not be cached for longer than a test takes.
sub write_zone {
	my ($self, $zone) = @_;
	my $text = "\$ORIGIN $zone.\n\$TTL 60\n" .
	    "@ SOA ns hostmaster $self->{serial} 3600 600 86400 60\n@ NS ns\n" .
	    "ns A 127.0.0.1\n$self->{zones}{$zone}\n";
	my $file = "$self->{dir}/$zone.zone";
	return put($file, $text) unless $self->{sign}{$zone};
	for my $below (sort keys %{ $self->{zones} }) {
		next if ($self->signed_above($below) // '') ne $zone;
		$text .= "$below. NS ns.$below.\nns.$below. A 127.0.0.1\n";
		$text .= $self->ds($below) if $self->{sign}{$below};
	}
	put("$file.plain", $text);
	my $good = $self->signed($zone, -e => moment(30), -i => moment(-1));
	my $old = $self->signed($zone, -e => moment(-10), -i => moment(-40));
	put($file, spoil($zone, $self->{sign}{$zone}, $good, $old));
}

# The nearest zone above that is signed.
sub signed_above {
	my ($self, $zone) = @_;
	while ($zone =~ s/^[^.]+\.//) {
		return $zone if $self->{sign}{$zone};
	}
	return undef;
}

sub new_key {
	my ($self, $zone) = @_;
	my $made = `cd $self->{dir} && ldns-keygen -a ECDSAP256SHA256 -k $zone`;
	chomp $made;
	die "ldns-keygen is not installed: make deps\n" if $? || $made eq '';
	$self->{keys}{$zone} = $made;
}

sub ds {
	my ($self, $zone) = @_;
	my $ds = get("$self->{dir}/$self->{keys}{$zone}.ds");
	$ds =~ s/([0-9a-f]{8})$/reverse $1/e
	    if ($self->{sign}{$zone}{ds} // '') eq 'wrong';
	return $ds;
}

sub moment { return POSIX::strftime('%Y%m%d%H%M%S', gmtime(time + $_[0] * 86400)) }

sub signed {
	my ($self, $zone, @dates) = @_;
	my $dir = $self->{dir};
	my @n = $self->{sign}{$zone}{nsec3} ? qw(-n) : ();
	system('ldns-signzone', @n, @dates, '-o', "$zone.", '-f', "$dir/signed",
	    "$dir/$zone.zone.plain", "$dir/$self->{keys}{$zone}") == 0
	    or die "ldns-signzone $zone: $?\n";
	return get("$dir/signed");
}

# Puts the faults that were asked for into a signed zone.
sub spoil {
	my ($zone, $wish, $good, $old) = @_;
	my $expired = $wish->{expired} // [];
	return $old if !ref $expired;
	my %fault;
	for my $kind (qw(bogus stripped)) {
		$fault{ set_name($zone, $_) } = $kind for @{ $wish->{$kind} // [] };
	}
	$fault{ set_name($zone, $_) } = 'expired' for @$expired;
	my %old = map { signature_of($_) => $_ }
	    grep { signature_of($_) ne '' } $old =~ /^(.*)$/mg;
	my (@lines, %seen);
	for my $line ($good =~ /^(.*)$/mg) {
		my $of = signature_of($line);
		my $fault = $fault{$of} // '';
		$seen{$of} = 1;
		next if $fault eq 'stripped';
		$line = $old{$of} if $fault eq 'expired';
		$line =~ s/(.)(\S{20})$/($1 eq 'A' ? 'B' : 'A') . $2/e
		    if $fault eq 'bogus';
		push @lines, $line;
	}
	$seen{$_} or die "$zone has no signature of $_\n" for keys %fault;
	return join("\n", @lines) . "\n";
}

# "mx.example.org. A" of an RRSIG line, else "".
sub signature_of {
	return $_[0] =~ /^(\S+)\s+\d+\s+IN\s+RRSIG\s+(\S+)/ ? lc($1) . " $2" : '';
}

sub set_name {
	my ($zone, $set) = @_;
	my ($name, $type) = split ' ', $set;
	$name = $name eq '@' ? "$zone." : $name =~ /\.$/ ? $name : "$name.$zone.";
	return lc($name) . " $type";
}

sub stop {
	my ($self) = @_;
	close delete $self->{socket} if $self->{socket};
	my $pid = delete $self->{pid} or return;
	kill 'TERM', $pid;
	waitpid $pid, 0;
}

sub DESTROY {
	my ($self) = @_;
	return if $$ != $self->{owner};
	local ($?, $!);
	$self->stop;
}

sub put {
	my ($path, $text) = @_;
	open my $f, '>', $path or die "$path: $!";
	print $f $text;
	close $f or die "$path: $!";
}

sub get {
	my ($path) = @_;
	open my $f, '<', $path or return '';
	local $/;
	return scalar <$f> // '';
}

1;
