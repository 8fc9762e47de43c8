# Hosts that answer too much, too little, out of turn or not at all: each costs
# its session and nothing else, and nothing of it is seen raw.
use strict;
use warnings;
use Test::More;
use Connsend;
use FakeMX;

my $drop = { drop => 1 };
my $reset = { drop => 'reset' };
my $nul = "250-a\0b\r\n250 \0\0\r\n";
my $esc = "\e]0;title\a\e[2J\xff\x80\r";
my %lost = map { ("drop$_" => { $_ => $drop }, "reset$_" => { $_ => $reset }) }
    qw(connect EHLO MAIL RCPT DATA DOT);
my $mx = FakeMX->start(
	%lost,
	lines => { connect => { reply => '220 hello', lines => 499_990 } },
	ehlolines => { EHLO => { reply => '250 ok', lines => 499_990 } },
	toolines => { connect => { reply => '220 hello', lines => 500_100 } },
	dotlines => { DOT => { reply => '250 2.0.0 taken', lines => 400_000 } },
	hugeline => { DOT => '250 ' . 'x' x 3_000_000 },
	hugebanner => { connect => '220 ' . 'y' x 3_000_000 },
	nuls => { RCPT => { raw => $nul }, DOT => { raw => $nul } },
	escapes => { DOT => "554 5.7.1 $esc no" },
	http => { connect => { raw => "HTTP/1.1 400 Bad\r\n\r\n" } },
	ssh => { connect => { raw => "SSH-2.0-OpenSSH_9\r\n" } },
	empty => { connect => { raw => "\r\n" } },
	code999 => { connect => '999 what' },
	code100 => { MAIL => '150 hm' },
	mixcode => { RCPT => "250-a\r\n550 b" },
	three => { EHLO => '354 go' },
	banner3 => { connect => '354 go' },
	twice => { MAIL => "250 ok\r\n250 ok" },
	ahead => { connect => "220 hi\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e" },
	data250 => { DATA => '250 ok' },
	early => { DATA => "354 go\r\n250 2.0.0 taken" },
	mid4 => { DATA => "354 go\r\n451 4.3.0 no room" },
	rset5 => { RCPT => '550 5.1.1 no', DATA => '503 5.5.1 what', RSET => '500 5.5.1 what' },
	quit5 => { QUIT => '500 5.5.1 what' },
	quitmute => { QUIT => { silent => 1 } },
	bye => { connect => '421 4.3.2 full' },
	byeehlo => { EHLO => '421 4.3.2 full' },
	byemail => { MAIL => '421 4.3.2 full' },
	byercpt => { RCPT => ['250 ok', '421 4.3.2 enough'] },
	byedot => { DOT => '421 4.3.2 going' },
	blocked => { connect => '554 5.7.1 blocked' },
	slow => { connect => { reply => '220 hi', delay => 6 },
		EHLO => { reply => '250 ok', delay => 6 } },
	mute => { connect => { silent => 1 } },
	drip => { connect => { raw => "220-" . join("\r\n220-", 1 .. 50),
		} },
	rests => { DOT => { reply => '250 ok' }, MAIL => ['250 ok',
		{ reply => '421 4.4.2 idle', drop => 1 }] },
	restdrop => { MAIL => ['250 ok', $reset] },
	six => { addr => '::1' },
	many => { addr => ['127.0.0.1', '127.0.0.5'] },
);
my $c = Connsend->new($mx);
my $closed = Spoolkit_free_port();

sub Spoolkit_free_port {
	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
	return $s->sockport;
}

my $lost = 'closed lost';
# host, options, what it says
my @rows = (
	['lines', [], qr/^done .*\n.*\nover|^done/m],
	['ehlolines', [], qr/^done/m],
	['toolines', [], qr/^closed lost: 451 4.5.0 .*not SMTP/m],
	['dotlines', [], qr/^done bob\S+ by body: 250 2.0.0 x x x/m],
	['hugeline', [], qr/^done bob\S+ by body: 250 2.0.0 x{400,}/m],
	['hugebanner', [], qr/^done/m],
	['nuls', [], qr/^done bob\S+ by body: 250 2.0.0 a\?b \?\?$/m],
	['escapes', [], qr/^never .* 554 5.7.1 \\x1b\]0;title\\x07\\x1b\[2J\\xff\\x80\\x0d no$/m],
	['http', [], qr/^closed lost: 451 4.5.0 host: .*not SMTP in the greet/m],
	['ssh', [], qr/^closed lost: 451 4.5.0/m],
	['empty', [], qr/^closed lost: 451 4.5.0/m],
	['code999', [], qr/^closed lost: 451 4.5.0/m],
	['code100', [], qr/^later .* by lost: 451 4.5.0 .*not SMTP.*\nover\n$lost ready/m],
	['mixcode', [], qr/^never .* by rcpt: 550 5.0.0 a b$/m],
	['three', [], qr/^closed refused: 354/m],
	['banner3', [], qr/^closed refused: 354/m],
	['twice', ['-w', '1'], qr/^later b\S+ by \w+: 451 4.5.0.*\n(.*\n)*over\n$lost ready/m],
	['ahead', [], qr/^closed lost/m],
	['data250', [], qr/^later .* by lost: 451 4.5.0 .*out of turn\nover\n$lost/m],
	['early', ['-B'], qr/^later .* by lost: 451 4.5.0 .*out of turn/m],
	['mid4', ['-B'], qr/^later .* by body: 451 4.3.0 no room\n(.*\n)?over\nclosed lost ready/m],
	['rset5', [], qr/^never .*\nover\nclosed lost ready: 500/m],
	['quit5', [], qr/^leaving\nclosed quit ready: 500/m],
	['quitmute', ['-d', '800'], qr/^leaving\nclosed quit ready/m],
	['bye', [], qr/^closed 421: 421 4.3.2 full/m],
	['byeehlo', [], qr/^closed 421: 421 4.3.2 full/m],
	['byemail', [], qr/^later .* by mail: 421 4.3.2 full\n.*\n?over\nclosed 421 ready/m],
	['byercpt', [], qr/^accepted bob\S+\nlater bob\S+ by rcpt: 421 .*\nlater cid\S+ by rcpt: 421.*\nover\nclosed 421/m],
	['byedot', [], qr/^later .* by body: 421 .*\n(.*\n)?over\nclosed 421/m],
	['blocked', [], qr/^closed refused: 554 5.7.1 blocked/m],
	['slow', [], qr/^done/m],
	['mute', ['-d', '800'], qr/^closed lost: 451 4.4.2 host: no answer in time in the greeting/m],
	['drip', ['-d', '800'], qr/^closed lost: 451 4.4.2/m],
	['rests', ['-x', '2'], qr/^done(.*\n)*over\nready(.*\n)over stale\nuntried bob\S+\n(.*\n)*closed lost ready/m],
	['restdrop', ['-x', '2'], qr/^done(.*\n)*over\nready(.*\n)over stale\nuntried bob\S+\n(.*\n)*closed lost ready/m],
	['six', [], qr/^done/m],
	['dropconnect', [], qr/^closed lost: 451 4.4.2 host: connection closed in the greeting/m],
	# The reset may come before the connection is known to be one.
	['resetconnect', [], qr/^closed (?:lost: 451 4.4.2 host: \S.* in the greeting|connect: 451 4.4.1 .*reset)/m],
	['dropEHLO', [], qr/^closed lost: 451 4.4.2 host: connection closed in EHLO/m],
	['resetEHLO', [], qr/^closed lost: 451 4.4.2 host: \S.* in EHLO/m],
	(map { my $p = $_; map { ["$_$p", [], qr/^later bob\S+ by lost: 451 4.4.2 host: .*\nlater cid\S+ by lost: 451 4.4.2 .*\nover\nclosed lost ready/m] } qw(drop reset) } qw(MAIL RCPT DATA DOT)),
);
my $big = "Subject: big\n\n" . "line of the body\n" x 200_000;
for (@rows) {
	my ($host, $opt, $want) = @$_;
	my @opt = grep { $_ ne '-B' } @$opt;
	my $r = $c->send($host, opt => \@opt, to => ['bob@y', 'cid@y'],
		@opt == @$opt ? () : (body => $big));
	ok $r->{out} =~ $want && $r->{status} == 0, $host
	    or diag $r->{out}, $r->{err};
	unlike $r->{out} . $r->{err}, qr/[^\x20-\x7e\n]/, "$host: not raw";
	cmp_ok length $r->{err}, '<', 10_000, "$host: a short log";
}
unlike $mx->said('mid4'), qr/^(RSET|QUIT)/m,
    'no command where a body would have gone on';
like $c->send('dropDOT', to => ['bob@y', 'cid@y'])->{out},
    qr/^uncertain 2$/m, 'lost after the dot: two are uncertain';
like $c->send('dropDATA')->{out}, qr/^uncertain 0$/m, 'before: none is';

# Where we connect from, and where nobody listens.
my $r = $c->send('many', opt => ['-s', '127.0.0.7']);
like $r->{out}, qr/^done/m, 'from an address of ours';
is +($mx->sessions('many'))[0]{peer}, '127.0.0.7', 'as the host sees';
$r = $c->send('many', opt => ['-a', '127.0.0.5']);
is +($mx->sessions('many'))[-1]{addr}, '127.0.0.5', 'several addresses';
$r = $c->send('many', opt => ['-s', '192.0.2.77']);
like $r->{out}, qr/^closed source: 451 4.4.1 host: our source address: /m,
    'an address that is not ours';
$r = $c->send('many', opt => ['-p', $closed]);
like $r->{out}, qr/^closed connect: 451 4.4.1 connect to host: Connection refused/m,
    'nobody listens';

# Messages of a session, and how long it rests.
$r = $c->send('many', opt => ['-x', '5', '-m', '2']);
is scalar(() = $r->{out} =~ /^done/mg), 2, 'two messages a session';
like $r->{out}, qr/^over\nleaving\nclosed quit ready/m, 'then QUIT';
$r = $c->send('many', opt => ['-k', '700']);
like $r->{out}, qr/^ready messages=1.*\nleaving\nclosed quit ready/m,
    'rests, then QUIT';
done_testing;
