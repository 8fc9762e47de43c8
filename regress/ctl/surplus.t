#!/usr/bin/perl
# Whatever a tool says in a request, no role ends because of it.
use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;

use Ctlrig;
use Spoolkit;

my $d = Spoolkit->start(conf => <<'END');
accept from any for any relay via "smtp://127.0.0.1:1"
END
my $before = $d->role_pids;

# The last frame of the answer, if there is one.
sub ask {
	my ($frame) = @_;
	my $s = IO::Socket::UNIX->new(Peer => $d->socket_path) or return;
	my ($type, $last);

	local $SIG{PIPE} = 'IGNORE';
	print $s Ctlrig::hello(), $frame;
	$s->flush;
	while (defined($type = (Ctlrig::frame_of($s, 10))[0])) {
		$last = $type;
		last if $type == 0x0905; # END
	}
	close $s;
	return $last;
}

my @commands = ('show status', 'show stats', 'show queue', 'show envelope',
	'show message', 'show hosts', 'pause envelope', 'pause mta',
	'resume envelope', 'resume mta', 'schedule', 'remove', 'discover',
	'sync', 'log brief', 'reload', 'show routes', 'show hoststats',
	'show relays', 'show sessions', 'show limits', 'explain rule',
	'explain relay', 'why', 'pause route', 'pause source', 'pause relay',
	'resume route', 'resume source', 'resume relay');
for my $command (@commands) {
	for my $args ([], [''], ['x', 'y', 'z'], ['0123456789ab'],
		['0123456789ab0001', 'all', ''], ["\n\e[31m"],
		['f' x 5000]) {
		my $n = @$args;
		is ask(Ctlrig::request($command, @$args)), 0x0905,
		    "$command with $n arguments ends";
	}
}
# Nearly a frame: one more word on its way to a role, and it would be more.
my $reason = 'r' x (256 * 1024 - 100);
ask(Ctlrig::frame(0x0901, Ctlrig::str($_) . Ctlrig::str($reason)
	. Ctlrig::u32(0) . "h\0\0")) for 'pause mta', 'log verbose', 'remove';
is +($d->ctl('show', 'status'))[0], 0, 'the daemon answers';
is_deeply $d->role_pids, $before, 'by the same roles';
cmp_ok $d->stop, '<', 6, 'and stops';
is_deeply [$d->sanitizer_lines], [], 'nothing was found by sanitizers';
done_testing;
