#!/usr/bin/perl
# Routes, sources and relays are paused and resumed; that is kept across a
# restart and a kill -9, ends by itself, and needs the right.
use strict;
use warnings;
use FakeMX;
use Spoolkit;
use Test::More;

my $mx = FakeMX->start(one => {}, two => {},
	down => { connect => { reply => '554 5.7.1 no', drop => 1 } });
my ($one, $two, $down) = map { $mx->port($_) } qw(one two down);
my $d = Spoolkit->start(conf => <<"END");
accept from any for domain "one.test" relay via "smtp://127.0.0.1:$one"
accept from any for domain "two.test" relay via "smtp://127.0.0.1:$two"
accept from any for domain "down.test" relay via "smtp://127.0.0.1:$down"
END

sub sent {
	my ($to) = @_;
	$d->send('news@shop.example', $to, "Subject: x\n\nx\n") =~
	    /^250 2\.0\.0 (\S+)/ or die "refused: $to\n";
	return $1;
}

sub arrives {
	my ($id) = @_;
	return $d->wait(sub {
		grep { $_->{data} =~ /ESMTP id $id\b/ } $mx->messages
	}, 60);
}

sub rows {
	my ($type, @words) = @_;
	return grep { $_->{type} eq $type } $d->ctl_json(@words);
}

sub route {
	my ($port) = @_;
	my ($r) = grep { $_->{port} == $port } rows('route', 'show', 'routes');
	return $r // {};
}

sub ctl_is {
	my ($want, $re, @words) = @_;
	my ($code, $out, $err) = $d->ctl(@words);
	ok $code == $want && "$out$err" =~ $re, "@words" or
	    diag "$code: $out$err";
}

ok arrives(sent('a@one.test')), 'mail goes';
my $id = route($one)->{id};
like $id, qr/^r\d+$/, 'by a route';

# A route by its id.
ctl_is(0, qr/^route \* -> \[127\.0\.0\.1\]:$one is paused until it is resumed$/,
	'pause', 'route', $id, '--reason', 'INC-77');
my $r = route($one);
like $r->{flags}, qr/^.D/, 'it is disabled';
like $r->{why}, qr/paused until further notice: INC-77/, 'and says why';
my $waiting = sent('b@one.test');
ok $d->wait(sub {
	my ($e) = $d->queue($waiting);
	$e && $e->{state} eq 'deferred' && $e->{tries} == 0 &&
	    ($e->{error}{text} // '') =~ /route r\d+ .*paused.*INC-77/;
}, 60), 'mail for it waits, untried, and says for what'
    or diag explain($d->queue($waiting));
my ($w) = rows('why', 'why', $waiting);
like $w->{text}, qr/paused.*INC-77/, 'why says so';
is $w->{cause}, 'paused', 'in a word';
is_deeply [map { "$_->{part} $_->{reason}" } rows('steer', 'show', 'limits')],
    ['route INC-77'], 'show limits lists it';
is_deeply [map { $_->{part} } rows('steer', 'show', 'routes', '--why')],
    ['route'], 'show routes --why as well';
ok arrives(sent('a@two.test')), 'other mail goes';

# Kept: over a restart and a kill -9 at once after the answer.
sub still {
	my ($how) = @_;
	ok $d->wait(sub {
		grep { $_->{part} eq 'route' } rows('steer', 'show', 'limits')
	}, 60), "paused after $how";
	$d->ctl('schedule', $waiting);
	ok $d->wait(sub {
		route($one)->{flags} && route($one)->{flags} =~ /^.D/
	}, 60), 'and the route, when it comes up';
	is scalar(grep { $_->{data} =~ /ESMTP id $waiting\b/ } $mx->messages),
	    0, 'nothing went by it';
}
$d->restart;
still('a restart');
ctl_is(0, qr/is paused until 20/, 'pause', 'relay', 'two.test', '--for',
	'2h', '--reason', 'move');
$d->kill9;
$d->run;
still('kill -9');
is_deeply [map { "$_->{part} $_->{name}" }
    sort { $a->{part} cmp $b->{part} } rows('steer', 'show', 'limits')],
    ['relay two.test', "route * -> [127.0.0.1]:$one"],
    'what was answered is kept';

# By its name; resumed; mail goes at once.
ctl_is(0, qr/may be used again/, 'resume', 'route',
	"* -> [127.0.0.1]:$one");
$d->ctl('schedule', 'all');
ok arrives($waiting), 'what waited goes';
unlike route($one)->{flags}, qr/D/, 'the route is in use';

# A relay by its URL; a source.
ctl_is(0, qr/^relay \[127\.0\.0\.1\]:$two is paused/, 'pause', 'relay',
	"smtp://127.0.0.1:$two", '--for', '1h', '--reason', 'x');
my $held = sent('b@two.test');
ok $d->wait(sub {
	my ($e) = $d->queue($held);
	$e && $e->{tries} == 0 && ($e->{error}{text} // '') =~ /paused/
}, 60), 'a relay is paused';
$d->clock(3700);
ok $d->wait(sub { $d->ctl('schedule', $held); arrives_now($held) }, 60),
    'its time is over: mail goes by itself';

sub arrives_now {
	my ($id) = @_;
	return grep { $_->{data} =~ /ESMTP id $id\b/ } $mx->messages;
}
is scalar(grep { $_->{name} =~ /:$two/ } rows('steer', 'show', 'limits')), 0,
    'and it is listed no more';
# Routes that had no mail for so long are gone.
ok arrives(sent('d@one.test')), 'mail goes as before';
ctl_is(0, qr/^source \* is paused/, 'pause', 'source', '*');
like route($one)->{why}, qr/source \* is paused/, 'a source is paused';
ctl_is(0, qr/may be used/, 'resume', 'source', '*');

# resume route all.
sent('a@down.test');
ok $d->wait(sub { (route($down)->{flags} // '') =~ /^.D/ }, 60),
    'a route is disabled by its penalty';
ctl_is(0, qr/is paused/, 'pause', 'route', route($one)->{id});
ctl_is(0, qr/is paused/, 'pause', 'route', route($two)->{id});
ctl_is(0, qr/^2 pauses are over, 1 disabled routes may be used again$/,
	'resume', 'route', 'all');
is scalar(rows('steer', 'show', 'limits', 'x.test')), 1,
    'but the relay stays paused';
is_deeply [grep { $_->{flags} =~ /D/ && $_->{port} != $down }
    rows('route', 'show', 'routes')], [], 'no route is paused';
ok arrives(sent('c@one.test')), 'mail goes';

# What is not there is said with what is.
ctl_is(66, qr/no route 'r999'; there are r\d+ \(/, 'pause', 'route', 'r999');
ctl_is(66, qr/no route '127\.0\.0\.1\]:$two'; did you mean r\d+ \(/,
	'pause', 'route', "127.0.0.1]:$two");
ctl_is(66, qr/no source '192\.0\.2\.9'; there is \*/, 'pause', 'source',
	'192.0.2.9');
ctl_is(64, qr/takes a time/, 'pause', 'route', 'r1', '--for', 'soon');
ctl_is(0, qr/no mail was for it yet/, 'pause', 'relay', 'new.test');
ctl_is(1, qr/relay nothing\.test is not paused/, 'resume', 'relay',
	'nothing.test');
ctl_is(66, qr/no name of a relay/, 'pause', 'relay', 'a b');

# Rights: who may only look may not pause.
SKIP: {
	skip 'needs root', 6 unless $> == 0;
	my ($name, undef, $gid) = getgrgid((getpwnam('nobody'))[3]);
	my ($uid, $other) = (64123, 64124);
	$d->set_conf(Spoolkit::slurp($d->conf) =~
	    s/^control .*$/control "%DIR%\/sock" group "$name"/mr);
	$d->restart;
	chmod 0755, $d->{dir};
	my $as = sub {
		my ($g, @words) = @_;
		my $out = qx(setpriv --reuid=$uid --regid=$g --clear-groups \\
		    $d->{bin}/smtpctl -s @{[$d->socket_path]} @words 2>&1);
		return ($? >> 8, $out);
	};
	my $member = (getpwnam('nobody'))[3];
	for my $words (['show', 'routes'], ['show', 'limits'],
		['explain', 'a@one.test']) {
		my ($code, $out) = $as->($member, @$words);
		is $code, 0, "a viewer: @$words" or diag $out;
	}
	my ($code, $out) = $as->($member, qw(pause relay one.test));
	is $code, 77, 'but no pause';
	like $out, qr/EX_NOPERM.*pause relay is for root/, 'is refused';
	($code) = $as->($other, qw(show routes));
	is $code, 77, 'others may not even look';
}
$d->stop;
done_testing;
