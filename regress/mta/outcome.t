# What becomes of recipients, for each answer a host can give at each step:
# one daemon, a relay host for each row. Every message has the recipients a and
# b; their outcomes are read from the log.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use FakeMX;
use Spoolkit;

my $alone = [];	# offers nothing: one command at a time
my $drop = { drop => 1 };
my $reset = { drop => 'reset' };
my @rcpt_mixed = ('550 5.1.1 no ann', '250 ok');

# name, script, outcome of a and of b: event and part of its status, and the
# commands that must have been sent (undef: not looked at).
my @rows = (
	['plain', {}, 'delivered 250 2.0.0 taken', 'delivered 250 2.0.0 taken',
		'EHLO MAIL RCPT RCPT DATA'],
	['alone', { ehlo => $alone }, 'delivered 250', 'delivered 250',
		'EHLO MAIL RCPT RCPT DATA'],
	['helo', { EHLO => '502 5.5.1 no' }, 'delivered 250', 'delivered 250',
		'EHLO HELO MAIL RCPT RCPT DATA'],
	['nohelo', { EHLO => '502 no', HELO => '550 go away' },
		'deferred 550 5.0.0 go away', 'deferred 550'],
	['ehlo4', { EHLO => '451 later' }, 'deferred 451 4.0.0 later',
		'deferred 451', 'EHLO'],
	['ehlodrop', { EHLO => $drop },
		'deferred 451 4.4.2 \[127.0.0.1\]:\d+: connection closed in EHLO',
		'deferred 451'],
	['ban4', { connect => '421 4.3.2 busy' }, 'deferred 421 4.3.2 busy',
		'deferred 421', ''],
	['ban5', { connect => '554 5.7.1 blocked' },
		'deferred 554 5.7.1 blocked', 'deferred 554', ''],
	['bandrop', { connect => $drop },
		'deferred 451 4.4.2 .*connection closed in the greeting',
		'deferred 451', ''],
	['banjunk', { connect => { raw => "HTTP/1.1 400 what\r\n" } },
		'deferred 451 4.5.0 .*not SMTP', 'deferred 451', ''],
	['mail4', { MAIL => '451 4.7.1 wait', RCPT => '503 first',
		DATA => '503 first' }, 'deferred 451 4.7.1 wait',
		'deferred 451', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['mail5', { MAIL => '550 5.7.1 not you', RCPT => '503 first',
		DATA => '503 first' }, 'failed 550 5.7.1 not you',
		'failed 550 5.7.1', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['mail5one', { ehlo => $alone, MAIL => '550 5.7.1 not you' },
		'failed 550 5.7.1 not you', 'failed 550', 'EHLO MAIL RSET'],
	['mail421', { MAIL => { reply => '421 4.7.0 bye', drop => 1 } },
		'deferred 421 4.7.0 bye', 'deferred 421'],
	['maildrop', { MAIL => $reset },
		'deferred 451 4.4.2 .* in MAIL FROM', 'deferred 451'],
	['rcptmix', { RCPT => [@rcpt_mixed] }, 'failed 550 5.1.1 no ann',
		'delivered 250', 'EHLO MAIL RCPT RCPT DATA'],
	['rcptmix1', { ehlo => $alone, RCPT => [@rcpt_mixed] },
		'failed 550 5.1.1 no ann', 'delivered 250',
		'EHLO MAIL RCPT RCPT DATA'],
	['rcpt45', { RCPT => ['451 4.7.1 grey', '550 5.1.1 no'],
		DATA => '554 5.5.1 nobody' }, 'deferred 451 4.7.1 grey',
		'failed 550 5.1.1 no', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['rcpt45one', { ehlo => $alone,
		RCPT => ['451 4.7.1 grey', '550 5.1.1 no'] },
		'deferred 451 4.7.1 grey', 'failed 550 5.1.1 no',
		'EHLO MAIL RCPT RCPT RSET'],
	['rcptdot', { RCPT => ['451 4.7.1 grey', '550 5.1.1 no'],
		DOT => '554 5.5.1 nobody' }, 'deferred 451 4.7.1 grey',
		'failed 550 5.1.1 no', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['rcpt421', { RCPT => ['550 5.1.1 no',
		{ reply => '421 4.7.0 enough', drop => 1 }] },
		'failed 550 5.1.1 no', 'deferred 421 4.7.0 enough'],
	['rcptdrop', { ehlo => $alone, RCPT => ['250 ok', $drop] },
		'deferred 451 4.4.2 .* in RCPT TO', 'deferred 451'],
	['toomany', { RCPT => ['250 ok', '452 4.5.3 too many', '250 ok'] },
		'delivered 250', 'delivered 250'],
	['data4', { DATA => '451 4.3.0 not now' }, 'deferred 451 4.3.0 not now',
		'deferred 451', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['data5', { DATA => '554 5.7.1 no' }, 'failed 554 5.7.1 no',
		'failed 554', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['datadrop', { DATA => $drop }, 'deferred 451 4.4.2 .* in DATA',
		'deferred 451'],
	['cut', { cut => 50 },
		'deferred 451 4.4.2 .* after the end of the message: it may have',
		'deferred 451'],
	['dot4', { DOT => '451 4.3.0 full' }, 'deferred 451 4.3.0 full',
		'deferred 451', 'EHLO MAIL RCPT RCPT DATA RSET'],
	['dot5', { DOT => "554-5.7.1 this is\r\n554 5.7.1 spam" },
		'failed 554 5.7.1 this is spam', 'failed 554',
		'EHLO MAIL RCPT RCPT DATA RSET'],
	['dot421', { DOT => { reply => '421 4.3.0 going', drop => 1 } },
		'deferred 421 4.3.0 going', 'deferred 421'],
	['dotdrop', { DOT => $drop },
		'deferred 451 4.4.2 .*connection closed after the end of the message',
		'deferred 451'],
	['dotjunk', { DOT => { raw => "\e[2J\x01\xff rubbish\r\n" } },
		'deferred 451 4.5.0 .*not SMTP', 'deferred 451'],
	['dotlong', { DOT => { raw => '250-' . 'x' x 9000 . "\r\n" .
		"250-\xff\x00\e]0;title\a\r\n" x 500 . "250 done\r\n" } },
		'delivered 250 2.0.0 x{300}', 'delivered 250'],
	['size', { ehlo => ['SIZE 100'] }, 'failed 552 5.3.4', 'failed 552',
		'EHLO'],
	['slowban', { connect => { delay => 20, reply => '220 hello' } },
		'deferred 451 4.4.2 .*no answer in time in the greeting',
		'deferred 451', ''],
	['slowrcpt', { ehlo => $alone,
		RCPT => { delay => 20, reply => '250 ok' } },
		'deferred 451 4.4.2 .*no answer in time in RCPT TO',
		'deferred 451'],
	['slowdot', { DOT => { silent => 1 } },
		'deferred 451 4.4.2 .*no answer in time after the end',
		'deferred 451'],
);

my %hosts = map { $_->[0] => { %{ $_->[1] } } } @rows;
my $mx = FakeMX->start(%hosts, bounces => {});
my $rules = join '', map {
	sprintf qq{accept from any for domain "%s.example" }
	    . qq{relay via "smtp://127.0.0.1:%d"\n}, $_, $mx->port($_)
} sort keys %hosts;
my $closed = Spoolkit::free_port();
my $d = Spoolkit->start(env => { SMTPD_TEST_DEADLINE => 1500 },
    conf => $rules . <<"END");
accept from any for domain "closed.example" relay via "smtp://127.0.0.1:$closed"
accept from any for domain "sender.example" \\
    relay via "smtp://127.0.0.1:${\ $mx->port('bounces')}"
END
push @rows, ['closed', {},
    "deferred 451 4.4.1 connect to \\[127.0.0.1\\]:$closed: Connection refused",
    'deferred 451'];

my %id;
for (@rows) {
	my $name = $_->[0];
	my $reply = $d->send('ann@sender.example',
	    ["a\@$name.example", "b\@$name.example"],
	    "Subject: $name\n\n.\n" . "line\n" x 20);
	($id{$name}) = $reply =~ /^250 2.0.0 ([0-9a-f]{12})/ or
	    fail "$name: $reply";
}

sub outcome {
	my ($name, $n) = @_;
	my $id = $id{$name} . sprintf '%04x', $n;
	my ($line) = $d->logged(qr/ mta\[.*evpid=$id event=/) or return;
	return $line =~ /event=(\S+) .*status="(.*)" delay=/ ? "$1 $2" : $line;
}

for (@rows) {
	my ($name, undef, $a, $b, $commands) = @$_;
	$d->wait(sub { outcome($name, 1) && outcome($name, 2) }, 15);
	like outcome($name, 1) // 'nothing', qr/^$a/, "$name: a";
	like outcome($name, 2) // 'nothing', qr/^$b/, "$name: b";
	next unless defined $commands;
	my $got = sub {
		return join ' ', map { /^(\w+)/ } grep { !/^QUIT/ }
		    $mx->commands($name);
	};
	$d->wait(sub { $got->() eq $commands }, 2);
	is $got->(), $commands, "$name: commands";
}

# Who was refused for being one too many goes at once, in a second transaction.
ok $d->wait(sub {
	grep { $_->{rcpts}[0] eq 'b@toomany.example' }
	    $mx->messages('toomany')
}, 5), 'too many: the rest goes next';
is scalar(grep { /event=delivered/ } $d->logged(qr/evpid=$id{plain}/)), 2,
    'one line for each delivery';

is scalar(grep { /[^\x20-\x7e]/ } $d->log), 0, 'no raw remote octet in the log';
$d->stop;
done_testing;
