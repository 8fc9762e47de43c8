#!/usr/bin/perl
# 10,000 bounces for a slow host, and more mail for one that never speaks: fresh
# mail for others leaves within a second.
use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(
	slow => { RCPT => { reply => '250 2.1.5 ok', delay => 0.5 },
		DOT => { reply => '250 2.0.0 taken', delay => 1 } },
	mute => { connect => { silent => 1 } },
	fast => {});
my $d = Spoolkit->start(
	vars => { map { uc($_) => $mx->port($_) } qw(slow mute fast) },
	conf => <<'END');
accept from any for domain "slow.test" relay via "smtp://127.0.0.1:%SLOW%"
accept from any for domain "mute.test" relay via "smtp://127.0.0.1:%MUTE%"
accept from any for domain "fast.test" relay via "smtp://127.0.0.1:%FAST%"
END

# Messages of ten recipients from the null sender.
sub bounces {
	my ($domain, $messages) = @_;
	my $c = $d->session(timeout => 120);
	my ($n, $taken) = (0, 0);

	$c->command('EHLO client.test');
	for my $m (1 .. $messages) {
		$c->raw("MAIL FROM:<>\r\n" . join('', map { $n++;
			"RCPT TO:<u$n\@$domain>\r\n" } 1 .. 10) . "DATA\r\n");
		my @codes = map { ($c->reply)[0] } 1 .. 12;
		$c->raw("Subject: bounce $m\r\n\r\nx\r\n.\r\n");
		$taken += 10 if ($c->reply)[0] == 250;
	}
	$c->close;
	return $taken;
}

is bounces('mute.test', 300), 3000, 'mail for a host that says nothing';
is bounces('slow.test', 1000), 10000, '10,000 for a slow one';
ok $d->wait(sub { $mx->commands('slow') > 20 }, 60), 'which has begun';

my @took;
for my $i (1 .. 9) {
	my $since = time;
	$d->send('a@shop.example', "u$i\@fast.test", "Subject: $i\n\nx\n");
	$d->wait(sub { grep { $_ eq "RCPT TO:<u$i\@fast.test>" }
	    map { s/^(RCPT TO:\S+).*/$1/r } $mx->commands('fast') }, 60)
	    or last;
	push @took, time - $since;
}
is scalar(@took), 9, 'fresh mail for another leaves';
@took = sort { $a <=> $b } @took;
# The middle one: how long one alone takes depends on who else is at work.
cmp_ok $took[@took / 2] // 99, '<', 1,
    sprintf('within a second: %s', join ' ', map { sprintf '%.2f', $_ } @took);
my $waits = grep { $_->{rcpt} =~ /slow/ } $d->queue;
cmp_ok $waits, '>', 5000, "while $waits wait for the slow one";
$d->stop;
done_testing;
