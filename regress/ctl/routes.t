#!/usr/bin/perl
# show routes, hosts, hoststats, relays, sessions and limits: the tables as
# they are printed, and the same as objects.
use strict;
use warnings;
use FakeMX;
use Spoolkit;
use Test::More;

my $mx = FakeMX->start(
	keep => {},
	slow => { connect => { reply => '220 slow', delay => 600 } },
	down => { connect => { reply => '554 5.7.1 not you', drop => 1 } },
	rest => {});
my %port = map { $_ => $mx->port($_) } qw(keep slow down rest);
my $d = Spoolkit->start(env => { SMTPD_TEST_DEADLINE => 300000 },
	conf => join '', "limit mta keep-alive 1h\n",
	"limit mta for domain 127.0.0.1 max-connections-per-route 1\n",
	map { "accept from any for domain \"$_.test\" " .
	    "relay via \"smtp://127.0.0.1:$port{$_}\"\n" }
	    qw(keep slow down rest));

sub sent {
	my ($to) = @_;
	$d->send('news@shop.example', $to, "Subject: x\n\nx\n") =~
	    /^250 2\.0\.0 (\S+)/ or die "refused: $to\n";
	return $1;
}

sub rows {
	my ($type, @words) = @_;
	return grep { $_->{type} eq $type } $d->ctl_json(@words);
}

sub route {
	my ($name) = @_;
	my ($r) = grep { $_->{port} == $port{$name} }
	    rows('route', 'show', 'routes');
	return $r // { flags => '', connections => 0 };
}

my ($code, $out, $err) = $d->ctl(qw(show routes));
is "$code$out$err", '0', 'no mail: no routes';

sent('a@keep.test');
ok $d->wait(sub { route('keep')->{flags} eq '---K' }, 60),
    'K: a session is kept' or diag route('keep')->{flags};
sent('a@slow.test');
ok $d->wait(sub { route('slow')->{connections} == 1 }, 60),
    'N: one connection, while none has worked';
is route('slow')->{flags}, 'N---', 'and so it is new';
sent('b@slow.test');
sent('a@down.test');
ok $d->wait(sub { route('down')->{flags} eq 'NDQ-' }, 60),
    'D and Q: disabled by its penalty, whose timer runs';
sent('a@rest.test');
ok $d->wait(sub { route('rest')->{flags} eq '---K' }, 60), 'one more';
$d->ctl('pause', 'route', route('rest')->{id}, '--reason', 'INC-5');
ok $d->wait(sub { route('rest')->{flags} =~ /^-D-/ }, 60),
    'D: paused' or diag route('rest')->{flags};
ok $d->wait(sub { route('rest')->{connections} == 0 }, 60),
    'and its session ended';

# As objects.
my $down = route('down');
is $down->{penalty}, 1, 'penalty';
is $down->{errors}, 1, 'errors';
cmp_ok $down->{timeout_s}, '<=', 33, 'a timeout that counts down';
cmp_ok $down->{until}, '>', $d->now, 'and its end';
like $down->{until_at}, qr/^20\S+Z$/, 'twice';
like $down->{last_error}, qr/^554 5\.7\.1 not you/, 'the last error';
like $down->{why}, qr/^route $down->{id} .*is disabled until \S+ after: 554/,
    'and why';
is route('keep')->{delivered}, 1, 'delivered';
is route('keep')->{why}, '', 'no reason where nothing is waited for';
like route('slow')->{why}, qr/is new: one connection until a session works/,
    'one of a limit';

# The table, as it is printed.
sub shown {
	my (@words) = @_;
	my ($c, $text) = $d->ctl(@words);
	my %name = reverse %port;
	$text =~ s/:(\d+)\b/':' . uc($name{$1} \/\/ $1)/ge;
	$text =~ s/ +\d{1,2}s(?=\s)/   30s/g;
	$text =~ s/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/TIME/g;
	$text =~ s/(\s)\d\.\d(\s)/$1RATE$2/g;
	return $text;
}
my $golden = do { local $/; open my $f, '<', 'regress/ctl/routes.ok'
    or die "routes.ok: $!"; <$f> };
is shown(qw(show routes)) . shown(qw(show routes --why)), $golden,
    'a flag each, with and without reasons';
$ENV{COLUMNS} = 80;
is scalar(grep { length > 80 && !/^ / } split /\n/, shown(qw(show routes))),
    0, 'rows fit 80 columns';

# The other lists.
my ($host) = grep { $_->{host} =~ /:$port{down}$/ }
    rows('host', 'show', 'hosts');
like $host->{state}, qr/^(?:failed|skipped)$/, 'a host';
like $host->{reason}, qr/left alone until .* no session of use/, 'why';
like $host->{error}{text}, qr/^554 5\.7\.1 not you/, 'and its error';
my %stat = map { $_->{domain} => $_->{status} }
    rows('hoststat', 'show', 'hoststats');
like $stat{'keep.test'} // $stat{"[127.0.0.1]:$port{keep}"} // '', qr/^250 /,
    'what became of the last mail' or diag explain(\%stat);
my %relay = map { $_->{name} => $_ } rows('relay', 'show', 'relays', '--why');
my $slow = $relay{"[127.0.0.1]:$port{slow}"};
is $slow->{queued}, 2, 'a relay with mail that waits' or diag explain \%relay;
like $slow->{limit}, qr/one connection until|being set up|is new/,
    'and the limit that binds';
is $slow->{connectors}, 1, 'by one source';
($slow) = grep { $_->{host} =~ /:$port{slow}$/ }
    rows('session', 'show', 'sessions');
is $slow->{phase}, 'the greeting', 'a session' or diag explain $slow;
is $slow->{route}, route('slow')->{id}, 'with its route';
my %limit = map { $_->{name} => $_ } grep { $_->{domain} eq '*' }
    rows('limit', 'show', 'limits');
is $limit{'max-connections-per-host'}{value}, 10, 'limits';
is $limit{'keep-alive'}{value}, '1h00m', 'as configured';
is $limit{'max-connections-per-route'}{in_use}, 1, 'what is in use';
for my $what (qw(hosts hoststats relays sessions limits)) {
	($code, $out) = $d->ctl('show', $what);
	is $code, 0, "show $what";
	like $out, qr/^[A-Z]+ .*\n(?:.*\n)+/, 'has a head and rows';
	is scalar(grep { length > 80 && !/^ |:/ } split /\n/, $out), 0,
	    'which fit 80 columns';
}
$d->stop;
done_testing;
