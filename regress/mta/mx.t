# Mail out by MX: a real nsd, hosts on many loopback addresses.
use strict;
use warnings;
use Test::More;
use Dns;
use FakeMX;
use IO::Socket::IP;
use Spoolkit;

my $port = Spoolkit::free_port();
my $six = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
close $six if $six;

my $dns = Dns->start(zones => { 'example.org' => <<'END' });
up1 A 127.0.0.11
up2 A 127.0.0.12
up3 A 127.0.0.13
down A 127.0.0.14
refuses A 127.0.0.15
drops A 127.0.0.16
own A 127.0.0.17
deaf A 127.0.0.19
six AAAA ::1
both AAAA 2001:db8::1
both AAAA 100::1
both A 127.0.0.11

order MX 20 up2
order MX 10 up1
order MX 30 up3
next MX 10 down
next MX 20 up2
family MX 10 both
only6 MX 10 six
null MX 0 .
none A 127.0.0.13
alias CNAME order
target MX 10 cn
cn CNAME up3
banner MX 10 refuses
banner MX 20 up3
refused MX 10 refuses
dead MX 10 down
dead MX 20 down
drop MX 10 drops
loop MX 10 own
backup MX 10 down
backup MX 20 own
backup MX 30 up1
primary MX 10 up1
primary MX 20 own
same1 MX 10 up2
same2 MX 10 up2
equal MX 10 up1
equal MX 10 up2
equal MX 10 up3
equal MX 20 down
empty TXT "x"
END

my $ns = $dns->port;
my $mx = FakeMX->start(
	up1 => { addr => '127.0.0.11', port => $port },
	up2 => { addr => '127.0.0.12', port => $port },
	up3 => { addr => '127.0.0.13', port => $port },
	refuses => { addr => '127.0.0.15', port => $port,
		connect => { reply => '554 5.7.1 no', drop => 1 } },
	drops => { addr => '127.0.0.16', port => $port,
		connect => { drop => 1 } },
	$six ? (six => { addr => '::1', port => $port }) : (),
	bounces => {},
);
my $d = Spoolkit->start(env => { SMTPD_TEST_MX_PORT => $port,
	SMTPD_TEST_DEADLINE => 3000 }, conf => <<"END");
resolver 127.0.0.1 port $ns
listen on 127.0.0.1 port %PORT%
listen on 127.0.0.17 port $port
accept from any for domain "sender.example" \\
    relay via "smtp://127.0.0.1:${\ $mx->port('bounces')}"
accept from any for domain "via.example" relay via "smtp://gone.example.org:$port"
accept from any for any relay
END

# Sends a message; where it arrived, or what became of it.
sub fate {
	my ($to) = @_;
	my $domain = $to =~ s/.*@//r;
	my ($id) = $d->send('ann@sender.example', $to, "Subject: x\n\nx\n") =~
	    /^250 2.0.0 ([0-9a-f]{12})/ or return 'refused';
	my $line = $d->wait(sub {
		($d->logged(qr/ mta\[.*msgid=$id .*event=/))[0]
	}, 10) or return 'nothing';
	$line =~ /event=(\S+).* status="?(.*?)"? delay=/;
	my ($event, $status) = ($1, $2);
	return "$event $status" if $event ne 'delivered';
	my @m = grep { $_->{data} =~ /ESMTP id $id\b/ } $mx->messages;
	return join ' ', map { $_->{host} } @m;
}

my @cases = (
	['order', qr/^up1$/, 'the best preference'],
	['next', qr/^up2$/, 'a dead host: the next in the same attempt'],
	['family', qr/^up1$/, 'IPv6 out of reach: IPv4 in the same attempt'],
	$six ? ['only6', qr/^six$/, 'IPv6 alone'] : (),
	['null', qr/^failed 556 5\.1\.10 /, 'null MX'],
	['gone', qr/^failed 550 5\.1\.2 gone.example.org does not exist/,
		'no such domain'],
	['empty', qr/^failed 550 5\.1\.2 /, 'neither MX nor address'],
	['none', qr/^up3$/, 'no MX: the domain itself'],
	['alias', qr/^up1$/, 'a domain by CNAME'],
	['target', qr/^up3$/, 'a host by CNAME'],
	['banner', qr/^up3$/, 'refused by its banner: the next'],
	['refused', qr/^untried 451 4\.4\.1 .* until .* after: 554 5\.7\.1 no/,
		'refused by all, a moment ago: not tried again'],
	['dead', qr/^untried 451 4\.4\.1 route r\d+ \(\* -> down.example.org \[127\.0\.0\.14\]:\d+\) is disabled until \S+ after: 451 4\.4\.1 connect to down.*: Connection refused/,
		'no host can be reached, as it was found out a moment ago'],
	['deaf', qr/^deferred 451 4\.4\.1 connect to deaf.example.org \[127\.0\.0\.19\]:\d+: Connection refused/,
		'no host can be reached, which is news'],
	['loop', qr/^failed 554 5\.4\.6 /, 'we are the MX ourselves'],
	['backup', qr/^untried 451 4\.4\.1 route .*connect to down/,
		'nobody better than ourselves: never a worse one'],
	['primary', qr/^up1$/, 'somebody better than ourselves'],
);
like fate("x\@$_->[0].example.org"), $_->[1], $_->[2] for @cases;
like fate('x@[127.0.0.12]'), qr/^up2$/, 'an address literal';
like fate('x@ORDER.Example.ORG'), qr/^up1$/, 'a domain in capitals';
like fate('x@via.example'), qr/^deferred 451 4\.4\.3 /,
    'a host of the configuration that does not exist: later';

my @events = $d->logged(qr/event=no-session.*both.example.org/);
ok @events <= 2, 'each address was tried at most once';

# Load over hosts of one preference.
my $before = () = $mx->messages('up3');
my $c = $d->session;
$c->command('EHLO x');
for (1 .. 90) {
	$c->message('ann@sender.example', ["$_\@equal.example.org"], "\nx\n");
}
my $equal = sub { grep { $_->{rcpts}[0] =~ /\@equal/ } $mx->messages };
$d->wait(sub { $equal->() >= 90 }, 10);
my %spread;
$spread{ $_->{host} }++ for $equal->();
is join(' ', sort keys %spread), 'up1 up2 up3', 'all of one preference work';

# Two domains, one host: the connection is used for both.
my $sessions = () = $mx->sessions('up2');
for (1 .. 5) {
	fate("x\@same$_.example.org") for 1, 2;
}
my $more = () = $mx->sessions('up2');
cmp_ok $more - $sessions, '<=', 2, 'domains share the connections to a host';

# A thousand messages for a host that gives no session: few connections.
for (1 .. 200) {
	$c->message('ann@sender.example', ["$_\@drop.example.org"], "\nx\n");
}
ok $d->wait(sub {
	$d->logged(qr/event=(?:deferred|untried) relay=drop.example.org/) >= 200
}, 20), 'all are deferred';
my @tries = $mx->sessions('drops');
cmp_ok scalar @tries, '<=', 30, 'by few connections: ' . @tries;
my ($host) = grep { $_->{type} eq 'host' &&
	$_->{host} =~ /^drops\.example\.org \[127\.0\.0\.16\]/ }
    $d->ctl_json(qw(show hosts));
like $host->{error}{text}, qr/connection closed/, 'show hosts has the error';

# The name server goes, then comes back as one that keeps silent.
$dns->stop;
my $silent = Dns->silent($ns);
like fate('x@silent.example.net'),
    qr/^deferred 451 4\.4\.3 .*(no answer in time|no name server)/,
    'a name server that keeps silent';
$silent->stop;
like fate('x@refused.example.net'), qr/^deferred 451 4\.4\.3 /,
    'a name server that is not there';

$c->close;
$d->stop;
done_testing;
