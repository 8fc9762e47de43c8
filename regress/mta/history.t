# The log alone tells what became of each route: a reader of its lines makes
# the same table as show routes.
use strict;
use warnings;
use FakeMX;
use Spoolkit;
use Test::More;

my $mx = FakeMX->start(
	good => {}, more => {},
	down => { connect => { reply => '554 5.7.1 not you', drop => 1 } },
	shy => { connect => [{ reply => '421 4.3.2 later', drop => 1 },
		'220 now I do'] },
	strict => { RCPT => ['451 4.7.1 not yet'] },
	busy => { MAIL => [{ reply => '421 4.7.0 too much', drop => 1 }] });
my @names = qw(good more down shy strict busy);
my %port = map { $_ => $mx->port($_) } @names;
my $d = Spoolkit->start(conf => join '', "limit mta keep-alive 1s\n",
	"limit mta rejects-in-a-row 5\n",
	map { "accept from any for domain \"$_.test\" " .
	    "relay via \"smtp://127.0.0.1:$port{$_}\"\n" } @names);

# What the lines say so far: { r12 => { flags => 'ND', ... } }.
sub history {
	my (%route, %session);
	for ($d->log) {
		next unless / mta\[/;
		my %f;
		$f{$1} = $2 // $3 while /(\w+)=(?:"(.*?)"|(\S*))/g;
		my $event = $f{event} // next;
		my $r = $route{ $f{id} // $f{route} // '' };
		if ($event eq 'route-new') {
			$route{ $f{id} } = { source => $f{source},
				address => $f{address}, port => $f{port},
				new => 1, disabled => 0, paused => 0,
				penalty => 0, connections => 0, until => '' };
		} elsif ($event eq 'route-gone') {
			delete $route{ $f{id} };
		} elsif ($event eq 'route-works') {
			@$r{qw(new penalty)} = (0, $f{penalty});
		} elsif ($event eq 'route-failed' || $event eq 'route-aside') {
			@$r{qw(new disabled penalty until last_error)} =
			    (1, 1, $f{penalty}, $f{until}, $f{status});
		} elsif ($event eq 'route-usable') {
			@$r{qw(new)} = (1) if $r->{disabled};
			@$r{qw(disabled penalty until)} = (0, $f{penalty}, '');
		} elsif ($event =~ /^route-(paused|resumed)$/) {
			$r->{paused} = $1 eq 'paused' ? 1 : 0;
		} elsif ($event eq 'connecting') {
			$session{ $f{session} } = $f{route};
			$r->{connections}++;
		} elsif ($event eq 'no-session' || $event eq 'closed') {
			my $of = delete $session{ $f{session} };
			$route{$of}{connections}-- if $of && $route{$of};
		}
	}
	for my $id (keys %route) {
		my $r = $route{$id};
		$r->{flags} = ($r->{new} ? 'N' : '-') .
		    ($r->{disabled} || $r->{paused} ? 'D' : '-') .
		    ($r->{disabled} || $r->{penalty} ? 'Q' : '-');
		delete $r->{until} unless $r->{disabled} && !$r->{paused};
		delete @$r{qw(new disabled paused)};
		delete $r->{last_error} unless $r->{flags} =~ /Q/;
	}
	return \%route;
}

# The same from the daemon.
sub table {
	my %route;
	for my $r (grep { $_->{type} eq 'route' } $d->ctl_json(qw(show routes))) {
		my %is = map { $_ => "$r->{$_}" }
		    qw(source address port penalty connections);
		$is{flags} = substr $r->{flags}, 0, 3;
		$is{until} = $r->{until_at} if $is{flags} =~ /D/ &&
		    $r->{why} !~ /paused/;
		$is{last_error} = $r->{last_error} if $is{flags} =~ /Q/;
		$route{ $r->{id} } = \%is;
	}
	return \%route;
}

# Times are seconds made of milliseconds, at different moments: one more or
# less is the same.
sub near {
	my ($x, $y) = @_;
	for my $id (grep { $y->{$_} } keys %$x) {
		my ($a, $b) = map { $_->{$id}{until} // '' } $x, $y;
		my ($t, $u) = map { /T(\d+):(\d+):(\d+)Z/
		    ? $1 * 3600 + $2 * 60 + $3 : undef } $a, $b;
		$x->{$id}{until} = $b if defined $t && defined $u &&
		    (abs($t - $u) <= 1 || abs($t - $u) >= 86399);
	}
	return eq_hash($x, $y);
}

# The engine may move on between the two: what stays the same counts.
sub same {
	my ($name) = @_;
	my ($log, $shown);
	my $same = $d->wait(sub {
		my $before = table();
		$log = history();
		$shown = table();
		return near($before, $shown) && near($log, $shown);
	}, 120);
	ok $same, $name or is_deeply $log, $shown, $name;
}

sub sent {
	my ($to) = @_;
	$d->send('news@shop.example', $to, "Subject: x\n\nx\n") =~ /^250 / or
	    die "refused: $to\n";
}

sent("$_\@good.test") for 1 .. 20;
sent("$_\@more.test") for 1 .. 5;
sent('a@down.test');
sent('a@shy.test');
sent('a@busy.test');
sent("$_\@strict.test") for 1 .. 12;
my $errors = sub { scalar grep { /^.D/ } map { $_->{flags} }
    values %{ table() } };
ok $d->wait(sub { $errors->() >= 4 }, 60), 'four routes fail'
    or diag explain table();
same('six routes, four of them failed');
my ($more) = grep { table()->{$_}{port} == $port{more} } keys %{ table() };
$d->ctl('pause', 'route', $more);
same('one is paused');
$d->clock(60);
same('penalties are over');
$d->ctl('schedule', 'all');
ok $d->wait(sub { $d->logged(qr/event=route-failed .*penalty=2/) }, 60),
    'and one fails again';
same('after a second failure');
$d->ctl(qw(resume route all));
same('all are used again');
$d->clock(3 * 3600);
ok $d->wait(sub { keys %{ table() } < 6 }, 60), 'what had no mail is gone';
same('in the log as well');
my @ids = map { /id=(r\d+)/ } $d->logged(qr/event=route-new/);
is scalar(@ids), scalar(keys %{ { map { $_ => 1 } @ids } }),
    'no id is used twice';
$d->stop;
done_testing;
