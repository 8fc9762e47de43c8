# Routes that ramp up, back off, and say why, with real hosts; the rules
# themselves are tested one by one in regress/unit/sim_*.
use strict;
use warnings;
use Test::More;
use Time::Piece ();
use Dns;
use FakeMX;
use Spoolkit;

my $port = Spoolkit::free_port();
my $dns = Dns->start(zones => { 'example.org' => <<'END' });
slow MX 10 m1
m1 A 127.0.0.21
closed MX 10 m2
m2 A 127.0.0.22
grumpy MX 10 m3
grumpy MX 20 m4
m3 A 127.0.0.23
m4 A 127.0.0.24
defers MX 10 m5
m5 A 127.0.0.25
leaves MX 10 m6
m6 A 127.0.0.26
share1 MX 10 m7
share1 MX 20 m4
share2 MX 20 m4
share2 MX 10 m7
m7 A 127.0.0.27
w1 A 127.0.0.31
w2 A 127.0.0.32
w3 A 127.0.0.33
w4 A 127.0.0.34
wide MX 10 w1
wide MX 10 w2
wide MX 10 w3
wide MX 20 w4
END
my $ns = $dns->port;
my $mx = FakeMX->start(
	slow => { addr => '127.0.0.21', port => $port,
		connect => { delay => 3, reply => '220 slow ESMTP' },
		DOT => { delay => 1, reply => '250 2.0.0 taken' } },
	grumpy => { addr => '127.0.0.23', port => $port,
		connect => { reply => '554 5.7.1 no mail here', drop => 1 } },
	second => { addr => '127.0.0.24', port => $port },
	defers => { addr => '127.0.0.25', port => $port,
		RCPT => '451 4.7.1 not now' },
	leaves => { addr => '127.0.0.26', port => $port,
		RCPT => { reply => '421 4.3.2 going down', drop => 1 } },
	share => { addr => '127.0.0.27', port => $port },
	map { ("w$_" => { addr => "127.0.0.3$_", port => $port,
		DOT => { delay => 0.05, reply => '250 2.0.0 taken' } }) } 1 .. 4
);
my $d = Spoolkit->start(env => { SMTPD_TEST_MX_PORT => $port },
	conf => <<"END");
resolver 127.0.0.1 port $ns
limit mta for domain "slow.example.org" route-delay 0s relay-delay 0s
accept from any for any relay
END

my $c = $d->session;
$c->command('EHLO x');

sub mails {
	my ($n, $domain) = @_;
	my @ids;
	for (1 .. $n) {
		my ($code, $text) = $c->message('ann@here.example',
			["u$_\@$domain.example.org"], "Subject: x\n\nx\n");
		$code == 250 or die "$code $text";
	}
}

# Rounded at each place by itself.
sub seconds { return Time::Piece->strptime($_[0], '%Y-%m-%dT%H:%M:%SZ')->epoch }

sub outcomes {
	my ($domain, $event) = @_;
	return $d->logged(qr/event=$event relay=\Q$domain\E\.example\.org /);
}

# A2: one connection until a session works, then more; no gap is in the way.
mails(30, 'slow');
ok $d->wait(sub { $mx->messages('slow') >= 30 }), 'a slow host gets its mail';
my @starts = sort { $a <=> $b } map { $_->{events}[0][0] } $mx->sessions('slow');
cmp_ok scalar @starts, '>', 1, 'by several connections';
cmp_ok $starts[1] - $starts[0], '>=', 2.9, 'the second after a session worked';
cmp_ok $mx->peak('slow'), '<=', 5, 'five at most';

# A3, A4: refused; what comes meanwhile is not tried, and says why.
mails(1, 'closed');
ok $d->wait(sub { outcomes('closed', 'deferred') == 1 }), 'one is deferred';
my ($failed) = $d->logged(qr/event=route-failed id=r\d+ penalty=1 /);
my ($id, $until) = $failed =~ /id=(r\d+) penalty=1 until=(\S+)/;
ok $until, 'its route has failed, until a time';
mails(5, 'closed');
ok $d->wait(sub { outcomes('closed', 'untried') == 5 }), 'five are not tried';
my ($end) = +(outcomes('closed', 'untried'))[0] =~
    /route $id \(\* -> m2\.example\.org \[127\.0\.0\.22\]:$port\) is disabled until (\S+) after: 451 4\.4\.1 connect to m2.example.org.*refused/;
ok $end, 'which names the route and its end';
cmp_ok abs(seconds($end) - seconds($until)), '<=', 1, 'the same';
is scalar($d->logged(qr/event=connecting route=$id /)), 1, 'one connection';
my ($e) = grep { $_->{tries} == 0 && $_->{rcpt} =~ /closed/ } $d->queue;
ok $e, 'they count no try';

# A5, A6: a row of rejected recipients.
mails(200, 'defers');
ok $d->wait(sub {
	outcomes('defers', 'deferred') + outcomes('defers', 'untried') >= 200
}), 'all of 200 come back';
my $rcpts = () = grep { /^RCPT/ } $mx->commands('defers');
cmp_ok $rcpts, '>=', 25, '25 are tried';
cmp_ok $rcpts, '<=', 29, 'and those under way';
is scalar($d->logged(qr/event=route-aside /)), 1, 'the route is put aside';
my @rejected = grep { $_->{rcpt} =~ /defers/ && $_->{tries} == 1 } $d->queue;
my @others = grep { $_->{rcpt} =~ /defers/ && $_->{tries} == 0 } $d->queue;
is scalar @rejected, $rcpts, 'the rejected count a try';
is scalar @others, 200 - $rcpts, 'the others do not';

# A9: 421.
mails(3, 'leaves');
ok $d->wait(sub {
	outcomes('leaves', 'deferred') + outcomes('leaves', 'untried') >= 3
}), 'a host that says 421';
ok $d->logged(qr/event=route-failed id=r\d+ penalty=1 .*421/),
    'its route is penalised';

# A17: no session; the next MX.
mails(5, 'grumpy');
ok $d->wait(sub { $mx->messages('second') >= 5 }), 'the other MX takes it';
is scalar($mx->sessions('grumpy')), 1, 'the first is tried once';
ok $d->logged(qr/event=host-skipped host="m3\.example\.org \[127\.0\.0\.23\]/),
    'and remembered';

# A10: one MX set, one session.
mails(1, 'share1');
ok $d->wait(sub { $mx->messages('share') >= 1 }), 'one domain';
mails(1, 'share2');
ok $d->wait(sub { $mx->messages('share') >= 2 }), 'another of the same MX';
is scalar($mx->sessions('share')), 1, 'one session';

# A11: spread, and nothing to the worse.
mails(300, 'wide');
ok $d->wait(sub {
	outcomes('wide', 'delivered') >= 300
}), '300 messages to three hosts';
for (1 .. 3) {
	my $n = () = $mx->messages("w$_");
	cmp_ok $n, '>=', 80, "w$_: $n";
	cmp_ok $n, '<=', 120, "w$_: not more than its part";
}
is scalar($mx->sessions('w4')), 0, 'none to a worse preference';

# The penalty is over, and the host is there: what waited goes.
my $host = FakeMX->start(m2 => { addr => '127.0.0.22', port => $port });
$d->clock(40);
ok $d->wait(sub { $d->logged(qr/event=route-usable id=$id penalty=0/) }),
    'a shifted clock ends the penalty';
ok $d->wait(sub { $host->messages('m2') >= 5 }), 'what was not tried arrives';
$c->close;
$d->stop;
done_testing;
