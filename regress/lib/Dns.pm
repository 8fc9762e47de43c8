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
use strict;
use warnings;
use File::Temp qw(tempdir);
use IO::Socket::INET;
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
	for my $zone (sort keys %{ $o{zones} }) {
		$conf .= "zone:\n\tname: \"$zone\"\n\tzonefile: \"$zone.zone\"\n";
		put("$dir/$zone.zone", "\$ORIGIN $zone.\n\$TTL 60\n" .
		    "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n" .
		    "ns A 127.0.0.1\n$o{zones}{$zone}");
	}
	put("$dir/nsd.conf", $conf);
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>>', "$dir/log";
		exec $nsd, '-d', '-c', "$dir/nsd.conf" or die "nsd: $!";
	}
	my $self = bless { pid => $pid, dir => $dir, port => $port,
	    owner => $$ }, $class;
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

sub answers {
	my ($self, $zone) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}",
	    Proto => 'udp') or return 0;
	my $q = pack('n6', 4711, 0, 1, 0, 0, 0) .
	    join('', map { chr(length) . $_ } split(/\./, $zone)) .
	    "\0" . pack('n2', 6, 1);
	$s->send($q) or return 0;
	my $in = '';
	vec($in, fileno($s), 1) = 1;
	return 0 unless select($in, undef, undef, 0.2) > 0;
	my $a;
	return 0 unless defined $s->recv($a, 512) && length($a) > 12;
	my ($id, $flags) = unpack('n2', $a);
	return $id == 4711 && ($flags & 15) == 0;
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
