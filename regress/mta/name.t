# The resolver of the dns role against a real nsd.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempfile);
use Time::HiRes qw(time);
use Dns;

# It ends with its resolver; there is nothing to free for.
$ENV{ASAN_OPTIONS} = 'detect_leaks=0';
my $ask = "$ENV{BUILD}/spool/askname";
my $many = join '', map { "m MX $_ m$_\nm$_ A 127.0.1.$_\n" } 1 .. 120;
my $dns = Dns->start(zones => {
	'example.org' => <<"END",
@ MX 20 mx2
@ MX 10 mx1
@ MX 30 mx3.example.net.
mx1 A 127.0.0.2
mx1 AAAA ::1
mx2 A 127.0.0.3
plain A 127.0.0.4
plain AAAA 2001:db8::4
null MX 0 .
half MX 0 .
half MX 5 mx1
alias CNAME target
target MX 7 mx2
mxalias MX 5 cn
cn CNAME mx1
nothing TXT "no address"
lost MX 5 gone
lost MX 6 nothing
part MX 5 gone
part MX 6 mx2
loop CNAME pool
pool CNAME loop
under_score MX 5 mx1
equal MX 5 mx1
equal MX 5 mx2
equal MX 1 plain
$many
END
	'example.net' => "mx3 A 127.0.0.5\n",
});

my $port = $dns->port;
my ($hosts, $path) = tempfile(UNLINK => 1);
print $hosts "127.0.0.9 smart.example.org smart # comment\n::1 smart\n";
close $hosts;

sub ask {
	my ($kind, @names) = @_;
	open my $p, '-|', $ask, $port, 10000, $path, $kind, @names or die;
	my %got = map { /^(.*?): (.*)/ ? ($1 => $2) : () } <$p>;
	close $p;
	is $?, 0, "askname @names";
	return @names == 1 ? $got{ $names[0] } : \%got;
}

my %mx = (
	'example.org' => 'found 10 mx1.example.org,::1,127.0.0.2 ' .
	    '20 mx2.example.org,127.0.0.3 30 mx3.example.net,127.0.0.5',
	'EXAMPLE.net' => 'none (EXAMPLE.net has no address)',
	'plain.example.org' => 'found 0 plain.example.org,2001:db8::4,127.0.0.4',
	'null.example.org' => 'null-mx (the domain takes no mail (null MX))',
	'half.example.org' => 'found 5 mx1.example.org,::1,127.0.0.2',
	'alias.example.org' => 'found 7 mx2.example.org,127.0.0.3',
	'mxalias.example.org' => 'found 5 cn.example.org,::1,127.0.0.2',
	'nothing.example.org' => 'none (nothing.example.org has no address)',
	'gone.example.org' => 'none (gone.example.org does not exist)',
	'part.example.org' => 'found 6 mx2.example.org,127.0.0.3',
	'under_score.example.org' => 'found 5 mx1.example.org,::1,127.0.0.2',
);
my $got = ask('mx', sort keys %mx);
for my $name (sort keys %mx) {
	my $want = $mx{$name};
	my $g = $got->{$name} // 'no answer';
	# Both families are asked for at once: either may come first.
	s/(\S+),(\S+:\S*),(127[\d.]+)/$1,$3,$2/ for $g, $want;
	is lc $g, lc $want, $name;
}
like ask('mx', 'lost.example.org'), qr/^none /, 'no host has an address';
like ask('mx', 'loop.example.org'), qr/^temporary /, 'CNAME loop';
like ask('mx', 'elsewhere.invalid'), qr/^(none|temporary) /, 'not served';
my @hosts = ask('mx', 'm.example.org') =~ /(\d+ m\d+)/g;
is scalar @hosts, 100, 'at most 100 hosts';
is ask('address', 'mx1.example.org') =~ s/,::1,(.*)/,$1,::1/r,
    'found 0 mx1.example.org,127.0.0.2,::1', 'address of a host';
is ask('address', 'Smart'), 'found 0 smart,127.0.0.9,::1', 'from hosts';

my %first;
$first{ (ask('mx', 'equal.example.org') =~ /5 (mx\d)/)[0] }++ for 1 .. 20;
is join(' ', sort keys %first), 'mx1 mx2', 'equal ones are shuffled';

my $same = 'plain.example.org';
open my $p, '-|', $ask, $port, 10000, $path, 'mx', ($same) x 50 or die;
my @lines = <$p>;
close $p;
is scalar(grep { /found 0/ } @lines), 50, 'fifty askers, all answered';

$dns->stop;
my $silent = Dns->silent($port);
my $start = time;
open $p, '-|', $ask, $port, 700, $path, 'mx', 'example.org' or die;
my $line = <$p>;
close $p;
like $line, qr/temporary \(MX of example.org: no answer in time\)/,
    'a server that keeps silent';
cmp_ok time - $start, '<', 5, 'the deadline holds';
$silent->stop;
open $p, '-|', $ask, $port, 5000, $path, 'mx', 'example.org' or die;
$line = <$p>;
close $p;
like $line, qr/temporary/, 'no server there';

done_testing;
