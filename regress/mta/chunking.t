# CHUNKING (RFC 3030), SIZE, how many recipients go at a time, and what is done
# with those that were one too many, or that the owner wants no more.
use strict;
use warnings;
use Test::More;
use Connsend;
use FakeMX;

my @all = (ehlo => ['PIPELINING', 'CHUNKING', 'SIZE 10000000', '8BITMIME']);
my $mx = FakeMX->start(
	good => { @all },
	one => { ehlo => ['CHUNKING'] },
	refuse => { @all, BDAT => ['250 ok', '552 5.3.4 too big', '250 ok'],
		DOT => '503 5.5.1 what' },
	later => { ehlo => ['CHUNKING'], BDAT => '451 4.3.0 disk full' },
	end => { @all, DOT => ['554 5.7.1 spam', '250 ok'] },
	nobody => { @all, RCPT => '550 5.1.1 no' },
	lost => { @all, DOT => { drop => 1 } },
	early => { @all, BDAT => "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok" },
	bye => { @all, BDAT => { reply => '421 4.3.2 going', drop => 1 } },
	small => { ehlo => ['SIZE 100'] },
	sizeless => { ehlo => ['SIZE'] },
	win => {},
	ten => { RCPT => sub {
		my ($s) = @_;
		return @{ $s->{rcpts} } < 10 ? '250 ok'
		    : '452 4.5.3 too many recipients';
	} },
	plain452 => { RCPT => ['250 ok', '452 Too many recipients', '250 ok'] },
	plain552 => { RCPT => ['250 ok', '552 Too many recipients', '250 ok'] },
	full => { RCPT => ['250 ok', '452 4.2.2 mailbox full', '250 ok'] },
	quota => { RCPT => ['250 ok', '552 5.2.2 mailbox full', '250 ok'] },
	grey => { RCPT => '451 4.7.1 later' },
	grey1 => { ehlo => [], RCPT => '451 4.7.1 later' },
	mixed => { RCPT => ['250 ok', '451 4.7.1 later'] },
);
my $c = Connsend->new($mx);

sub commands {
	my ($host) = @_;
	return join ' ', map { /^(BDAT.*)/ ? "[$1]" : /^(\w+)/ }
	    $mx->commands($host);
}

# Bodies of every size round a piece of 64 KiB, every octet of them; lines that
# end at the seam, dots at the seam, a bare CR or LF there.
my %bodies = (empty => '', short => ".\r\n..\r\n.a", piece => 'x' x 65536,
	seam => 'x' x 65535 . "\r\n.y\r\n", dots => ".\r\n" x 50000,
	crlf => 'x' x 65534 . "\r\n" . 'y' x 65536 . "\r\n",
	long => join('', map { "line $_\r\n" } 1 .. 60000));
for my $host (qw(good one)) {
	for my $name (sort keys %bodies) {
		my $r = $c->send($host, body => $bodies{$name}, raw => 1);
		my $want = $bodies{$name};
		$want .= "\r\n" if $want ne '' && $want !~ /\r\n\z/;
		my ($m) = reverse $mx->messages($host);
		ok $m && $m->{data} eq $want, "$host: $name" or
		    diag $r->{out}, length($m->{data} // '');
	}
}
my $r = $c->send('good', body => "a\nb\rc\r\n\n", raw => 1);
is +(reverse $mx->messages('good'))[0]{data}, "a\r\nb\r\nc\r\n\r\n",
    'line ends as after DATA';
like commands('good'),
    qr/^EHLO MAIL RCPT \[BDAT 65536\] \[BDAT 65536\] \[BDAT 2 LAST\] QUIT/,
    'chunks: MAIL and RCPT first';
unlike commands('good') . commands('one'), qr/DATA/, 'no DATA';
$r = $c->send('good', opt => ['-x', '3']);
is scalar(() = $r->{out} =~ /^done/mg), 3, 'three messages in one session';

my $long = { body => $bodies{long}, raw => 1, opt => ['-x', '2'] };
$r = $c->send('refuse', %$long);
like $r->{out}, qr/^never bob\S+ by body: 552 5.3.4 too big\nover\nready messages=1/m,
    'a chunk refused, the others are passed over';
like commands('refuse'), qr/LAST\] RSET MAIL|\[BDAT \d+\] RSET MAIL/,
    'RSET, and the session goes on';
$r = $c->send('later', %$long);
is scalar(() = $r->{out} =~ /^later bob\S+ by body: 451 4.3.0 disk full$/mg), 2,
    'without pipelining';
is scalar(() = commands('later') =~ /\[BDAT 65536\] RSET/g), 2,
    'nothing follows the chunk that was refused';
$r = $c->send('end', opt => ['-x', '2']);
like $r->{out}, qr/^never bob\S+ by body: 554 5.7.1 spam\nover\nready.*\naccepted.*\ndone/m,
    'the last chunk refused';
$r = $c->send('nobody');
like $r->{out}, qr/^never bob\S+ by rcpt: 550/m, 'nobody accepted';
unlike commands('nobody'), qr/BDAT/, 'no chunk for nobody';
$r = $c->send('lost');
like $r->{out}, qr/^later .* by lost: 451 4.4.2 .* after the end of the message: it may have been delivered/m,
    'lost after the last chunk';
like $r->{out}, qr/^uncertain 1$/m, 'is uncertain';
$r = $c->send('early', %$long);
like $r->{out}, qr/^later bob\S+ by (lost|body): 451 4.5.0/m,
    'more replies than chunks';
like $r->{out}, qr/^closed lost ready/m, 'end it';
$r = $c->send('bye', %$long);
like $r->{out}, qr/^later bob\S+ by body: 421 4.3.2 going\nover\nclosed 421 ready/m,
    '421 to a chunk';

# SIZE.
$r = $c->send('small', body => 'x' x 200);
like $r->{out}, qr/^never bob\S+ by mail: 552 5.3.4/m, 'larger than SIZE';
unlike commands('small'), qr/MAIL/, 'is not tried';
$r = $c->send('sizeless', body => 'x' x 200);
like $r->{out}, qr/^done/m, 'SIZE without a number';
like +(grep { /^MAIL/ } $mx->commands('sizeless'))[0], qr/ SIZE=200$/,
    'it is told';

# Recipients at a time.
my @many = map { "u$_\@y.example" } 1 .. 25;
$r = $c->send('win', to => \@many, opt => ['-w', '10']);
is scalar(() = $r->{out} =~ /^done/mg), 25, '25 recipients by tens';
my ($s) = $mx->sessions('win');
my @turns;
for (@{ $s->{events} }) {
	my $n = () = $_->[2] =~ /^RCPT/mg;
	$turns[-1] += $n if @turns && $_->[1] eq 'C';
	push @turns, 0 if !@turns || $_->[1] eq 'S' && $turns[-1];
}
is join(' ', grep { $_ } @turns), '10 10 5', 'ten, then their replies';

$r = $c->send('ten', to => \@many, opt => ['-w', '12']);
is scalar(() = $r->{out} =~ /^done/mg), 10, 'too many: ten are taken';
is scalar(() = $r->{out} =~ /^untried/mg), 15, 'the rest is handed back';
is scalar(grep { /^RCPT/ } $mx->commands('ten')), 12,
    'and was not put any more';
like $r->{out}, qr/^closed quit ready/m, 'nothing is wrong with the session';
for (qw(plain452 plain552)) {
	$r = $c->send($_, to => [@many[0 .. 2]]);
	like $r->{out}, qr/^done u1\S+.*\ndone u3\S+.*\nover\nuntried u2\@/m,
	    "$_: one too many";
}
$r = $c->send('full', to => [@many[0 .. 2]]);
like $r->{out}, qr/^later u2\S+ by rcpt: 452 4.2.2/m, 'a full mailbox is not';
$r = $c->send('quota', to => [@many[0 .. 2]]);
like $r->{out}, qr/^never u2\S+ by rcpt: 552 5.2.2/m, 'nor one for good';

# The owner has had enough.
$r = $c->send('grey', to => \@many, opt => ['-w', '5', '-r', '5', '-x', '3']);
is scalar(() = $r->{out} =~ /^later/mg), 5, 'stopped: five were refused';
is scalar(() = $r->{out} =~ /^untried/mg), 20, 'the rest is handed back';
like $r->{out}, qr/^leaving\nclosed quit ready/m, 'QUIT';
is commands('grey'), 'EHLO MAIL RCPT RCPT RCPT RCPT RCPT QUIT',
    'and nothing more';
$r = $c->send('grey1', to => \@many, opt => ['-r', '3']);
is commands('grey1'), 'EHLO MAIL RCPT RCPT RCPT QUIT', 'one by one';
$r = $c->send('mixed', to => [@many[0 .. 5]], opt => ['-r', '5']);
is scalar(() = $r->{out} =~ /^later/mg), 5, 'stopped with one accepted';
like $r->{out}, qr/^over\nuntried u1\@y.example$/m, 'it is handed back as well';
is scalar($mx->messages('mixed')), 0, 'no empty message is made of it';
like $r->{out}, qr/^closed quit ready/m, 'and the session ends';
done_testing;
