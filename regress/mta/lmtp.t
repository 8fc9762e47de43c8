# LMTP: LHLO, a status for each recipient after the message, by TCP and by a
# unix socket.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use Certs;
use Connsend;
use FakeMX;

my $dir = tempdir('lmtp.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $certs = Certs->new(mine => 1);
my $cert = $certs->make('lmtp.example');
my @mixed = ('250 2.0.0 ann has it', '452 4.2.2 bob is full',
    "550-5.1.1 cid\r\n550 5.1.1 is unknown");
my $mx = FakeMX->start(
	tcp => { lmtp => 1, DOT => [@mixed, '250 ok'] },
	unix => { lmtp => 1, path => "$dir/sock", DOT => [@mixed, '250 ok'] },
	alone => { lmtp => 1, ehlo => [], DOT => [@mixed, '250 ok'] },
	chunks => { lmtp => 1, ehlo => ['PIPELINING', 'CHUNKING'] },
	rcpts => { lmtp => 1, RCPT => ['250 ok', '550 5.1.1 no', '250 ok'],
		DOT => ['250 2.0.0 one', '550 5.7.1 three'] },
	nobody => { lmtp => 1, RCPT => '550 5.1.1 no', DATA => '354 go' },
	half => { lmtp => 1, DOT => ['250 2.0.0 one',
		{ drop => 1 }, '250 three'] },
	more => { lmtp => 1, DOT => ['250 one', '250 two',
		"250 three\r\n250 four"] },
	last421 => { lmtp => 1, DOT => ['250 one', '421 4.3.2 going'] },
	tls => { lmtp => 1, tls => $cert },
	smtp => {},
);
my $c = Connsend->new($mx);
my @to = map { "$_\@y.example" } qw(ann bob cid);

sub run {
	my ($host, %o) = @_;
	my $via = defined $mx->{hosts}{$host}{path}
	    ? "lmtp://$mx->{hosts}{$host}{path}" : 'lmtp://%HOST%';
	return $c->send($host, relay => qq{via "$via" } . ($o{relay} // ''),
		to => \@to, opt => ['-x', '2', '-d', '5000',
		@{ $o{opt} // [] }])->{out};
}

my $three = qr/^done ann\S+ by body: 250 2\.0\.0 ann has it
later bob\S+ by body: 452 4\.2\.2 bob is full
never cid\S+ by body: 550 5\.1\.1 cid is unknown
over
ready messages=1 /m;
for (qw(tcp unix alone)) {
	my $out = run($_);
	like $out, qr/^policy lmtp/m, "$_: policy";
	like $out, $three, "$_: each has its own reply";
	is scalar(() = $out =~ /^done .* 250 2.0.0 ok$/mg), 3,
	    "$_: and the next message goes the same way";
	my @m = $mx->messages($_);
	is_deeply [map { $_->{rcpts} } @m], [[$to[0]], [@to]],
	    "$_: who has it";
	is +($mx->commands($_))[0], 'LHLO client.example', "$_: LHLO";
}
is join(' ', map { /^(\w+)/ } $mx->commands('tcp')),
    'LHLO MAIL RCPT RCPT RCPT DATA MAIL RCPT RCPT RCPT DATA QUIT',
    'the dialogue';

my $out = run('rcpts');
like $out, qr/^never bob\S+ by rcpt: 550 5.1.1 no\naccepted cid\S+\ndone ann\S+ by body: 250 2.0.0 one
never cid\S+ by body: 550 5.7.1 three\nover/m,
    'replies are for those that were accepted';
$out = run('nobody');
is scalar(() = $out =~ /^never .* by rcpt/mg), 6, 'nobody accepted';
is scalar(grep { /^DATA/ } $mx->commands('nobody')), 0, 'so no DATA';
$out = run('half');
like $out, qr/^done ann\S+ by body: 250 2.0.0 one\nlater bob\S+ by lost: .*it may have been delivered
later cid\S+ by lost: .*it may have/m, 'lost among the replies';
like $out, qr/^uncertain 2$/m, 'two of three are uncertain';
$out = run('more');
is scalar(() = $out =~ /^done /mg), 3, 'one reply too many';
like $out, qr/^closed lost/m, 'ends the session';
$out = run('last421');
like $out, qr/^done ann.*\nlater bob\S+ by body: 421.*\nlater cid\S+ by body: 421/m,
    '421 in the middle';
like $out, qr/^closed 421 ready/m, 'is what ended it';
$out = run('chunks');
is scalar(grep { /^BDAT/ } $mx->commands('chunks')), 0, 'no chunks by LMTP';
is scalar(() = $out =~ /^done /mg), 6, 'and it goes';
$out = run('tls', relay => 'tls');
like $out, qr/^ready messages=0 tls=TLSv1.3/m, 'TLS';
is +($mx->commands('tls'))[2], 'LHLO client.example', 'LHLO once more';
$out = run('smtp');
like $out, qr/^closed refused: 500/m, 'a host that speaks SMTP is not greeted so';
unlike $out, qr/^ready/m, 'nor used';
done_testing;
