#!/usr/bin/perl
# The control role: rights, flow, garbage, traces. Its roles are fakes.
use strict;
use warnings;
use Ctlrig;
use POSIX ();
use Socket qw(SHUT_WR);
use Test::More;
use Time::HiRes qw(time);

my $big = Ctlrig->start(rows => 100_000, lines => 30_000);

# Answers of all roles are awaited for 5 seconds: that runs beside the rest.
my $mute = Ctlrig->start(silent => 'dns');
my $waiting = fork() // die;
if ($waiting == 0) {
	my ($code, $out, $err) = $mute->smtpctl('show', 'status');
	POSIX::_exit($code == 2 && $out =~ /^spooler/m &&
	    $err =~ /no answer from dns$/m ? 0 : 1);
}

sub status_ok {
	my ($rig, $why) = @_;
	my ($code, $out) = $rig->smtpctl('show', 'status');
	ok($code == 0 && $out =~ /^spooler /m && $rig->alive, $why);
}

subtest 'a listing is complete' => sub {
	my ($code, $out) = $big->smtpctl('show', 'queue');
	is($code, 0, 'exit code');
	is(($out =~ tr/\n//), 100_001, 'a head and 100,000 rows');
	like($out, qr/^0000000186a00001 .* ann\@yahoo\.com$/m, 'the last one');
};

subtest 'a slow reader costs a slice' => sub {
	my $before = $big->memory('VmRSS');
	my $s = $big->connect;
	print $s Ctlrig::hello(), Ctlrig::request('show queue');
	$s->flush;
	my ($type) = Ctlrig::frame_of($s);
	is($type, Ctlrig::HELLO, 'greeted');
	($type) = Ctlrig::frame_of($s);
	is($type, Ctlrig::ROW, 'rows begin');
	# Its answer comes behind all rows that are under way.
	status_ok($big, 'others are served meanwhile');
	my $grown = $big->memory('VmRSS') - $before;
	cmp_ok($grown, '<', $ENV{SAN} ? 8192 : 1024, "grown by $grown KiB");
	close $s;
	ok($big->logged(qr/cancelled by spooler/), 'leaving cancels');
	my ($code, $out) = $big->smtpctl('show', 'status');
	like($out, qr/spooler .*sent_most=26\d{4}\b/, 'never over the slice');
};

subtest 'traces of a caller that does not read are counted as lost' => sub {
	my $s = $big->connect;
	print $s Ctlrig::hello(), Ctlrig::request('trace', 'mta');
	$s->flush;
	ok($big->logged(qr/mask 8$/m), 'the roles are told');
	status_ok($big, 'others are served meanwhile');
	my ($lines, $lost) = (0, 0);
	while (1) {
		my ($type, $payload) = Ctlrig::frame_of($s);
		last if !defined $type;
		$lines++ if $type == Ctlrig::LINE;
		$lost = unpack 'Q>', substr $payload, 1
		    if $type == Ctlrig::LOST;
		last if $lines + $lost >= 30_000;
	}
	cmp_ok($lost, '>', 0, "$lost lost");
	is($lines + $lost, 30_000, 'no line is unaccounted for');
	close $s;
	ok($big->logged(qr/mask 8\n(?:.*\n)*rig: mask 0$/), 'and off again');
};

subtest 'garbage costs the caller, not the daemon' => sub {
	my $long = pack('Nnn', 0x40001, Ctlrig::REQUEST, 0);
	my %garbage = (
	    'text' => "GET / HTTP/1.0\r\n\r\n" x 10,
	    'zeros' => "\0" x 4096,
	    'an endless frame' => $long,
	    'a flag' => pack('Nnn', 0, Ctlrig::HELLO, 1),
	    'a request first' => Ctlrig::request('stop'),
	    'a second greeting' => Ctlrig::hello() . Ctlrig::hello(),
	    'a row' => Ctlrig::hello() . Ctlrig::frame(Ctlrig::ROW, 'x'),
	    'a request in a request' => Ctlrig::hello()
		. Ctlrig::request('trace', 'mta')
		. Ctlrig::request('trace', 'mta'),
	    'a request cut short' => Ctlrig::hello()
		. Ctlrig::frame(Ctlrig::REQUEST, Ctlrig::str('sync')),
	    'fewer arguments than said' => Ctlrig::hello()
		. Ctlrig::frame(Ctlrig::REQUEST, Ctlrig::str('sync')
		    . Ctlrig::str('') . Ctlrig::u32(0) . "h\0\2"
		    . Ctlrig::str('one')),
	    'a NUL within a string' => Ctlrig::hello()
		. Ctlrig::request("sync\0sync"),
	);
	for my $what (sort keys %garbage) {
		my $s = $big->connect;
		local $SIG{PIPE} = 'IGNORE';
		print $s $garbage{$what};
		$s->flush;
		# All it gets is a greeting, perhaps an end, and a hang-up.
		my $frames = 0;
		$frames++ while Ctlrig::frame_of($s) && $frames < 10;
		cmp_ok($frames, '<', 4, $what);
	}
	for my $n (1 .. 200) {
		my $s = $big->connect;
		local $SIG{PIPE} = 'IGNORE';
		print $s join '', map { chr int rand 256 } 1 .. $n * 7;
		close $s;
	}
	status_ok($big, 'the same process serves on');
	unlike($big->log, qr/breach|fatal/, 'and no role was troubled');
};

subtest 'other versions are told apart' => sub {
	my $s = $big->connect;
	print $s Ctlrig::hello(2);
	$s->flush;
	my ($type, $payload) = Ctlrig::frame_of($s);
	is($type, Ctlrig::HELLO, 'our version is said');
	($type, $payload) = Ctlrig::frame_of($s);
	is($type, Ctlrig::DONE, 'an end');
	is(unpack('xC', $payload), 76, 'EX_PROTOCOL');
	is(scalar(Ctlrig::frame_of($s)), undef, 'and a hang-up');
};

subtest 'at most 32 callers' => sub {
	my @s = map { $big->connect } 1 .. 32;
	Ctlrig::frame_of($_) for @s; # greeted, so they are in
	my ($code, $out, $err) = $big->smtpctl('show', 'status');
	is($code, 75, 'one more is refused');
	like($err, qr/^smtpctl: EX_TEMPFAIL: too many callers/, 'and told so');
	@s = ();
	my $until = time + 60;
	($code) = $big->smtpctl('show', 'status')
	    until $code == 0 || time > $until;
	is($code, 0, 'room again');
};

subtest 'rights by credentials' => sub {
	plan skip_all => 'needs root for other users' if $> != 0;
	my @stranger = qw(setpriv --reuid 1 --regid 1 --clear-groups);
	my @viewer = qw(setpriv --reuid 1 --regid 1 --groups 60);
	my @owner = qw(setpriv --reuid 65534 --regid 65534 --clear-groups);
	my ($code, $out, $err) = $big->run_as(\@stranger, 'show', 'status');
	is($code, 77, 'a stranger is refused');
	like($err, qr/^smtpctl: EX_NOPERM: uid 1 may not/, 'and told who may');
	($code, $out) = $big->run_as(\@viewer, 'show', 'status');
	is($code, 0, 'a member of the group may look');
	for my $words (['pause', 'mta'], ['show', 'message', 'a' x 12],
	    ['trace', 'mta'], ['stop'], ['remove', 'all']) {
		($code, $out, $err) = $big->run_as(\@viewer, @$words);
		is($code, 77, "and no more: @$words");
		like($err, qr/is for root and the daemon's owner/, 'why');
	}
	($code) = $big->run_as(\@owner, 'pause', 'mta');
	is($code, 0, 'the owner may');
	# Viewers cannot keep the operators out.
	my $hog = fork() // die;
	if ($hog == 0) {
		POSIX::setgid(60);
		$) = '60 60';
		POSIX::setuid(1);
		my @s = map { $big->connect } 1 .. 32;
		Ctlrig::frame_of($_) for @s;
		open my $f, '>', "$big->{dir}/hogged";
		sleep 120;
		POSIX::_exit(0);
	}
	my $until = time + 60;
	select undef, undef, undef, 0.02
	    until -e "$big->{dir}/hogged" || time > $until;
	($code) = $big->smtpctl('show', 'status');
	is($code, 0, 'room is kept for operators');
	($code) = $big->run_as(\@viewer, 'show', 'status');
	is($code, 75, 'but not for more viewers');
	kill 'KILL', $hog;
	waitpid $hog, 0;
};

subtest 'traced while somebody reads or the log wants it' => sub {
	my $rig = Ctlrig->start(lines => 3);
	my ($code, $out, $err) = $rig->smtpctl('-c', 3, 'trace', 'mta');
	is($code, 0, 'three lines');
	is(() = $out =~ /^\d\d:\d\d:\d\d\.\d{3} trace=mta n=\d$/mg, 3, 'shown');
	like($err, qr/^3 seen, 3 shown, 0 lost$/m, 'the sum');
	ok($rig->logged(qr/mask 8\n(?:.*\n)*.*mask 0$/), 'on and off');
	($code) = $rig->smtpctl('trace', '--on', 'mta,smtp');
	is($code, 0, 'on for the log');
	ok($rig->logged(qr/mask c$/m), 'both');
	($code, $out) = $rig->smtpctl('-d', '1s', 'trace', 'sched');
	ok($rig->logged(qr/mask 4c\n(?:.*\n)*.*mask c$/),
	    'what is on for the log stays on');
	($code) = $rig->smtpctl('untrace', 'smtp');
	ok($rig->logged(qr/mask 8\n\z/), 'one off');
	($code) = $rig->smtpctl('untrace', 'all');
	ok($rig->logged(qr/mask 0\n\z/), 'all off');
	($code) = $rig->smtpctl('profile', 'queue', '--on');
	ok($rig->logged(qr/mask 4000$/m), 'profile');
	($code) = $rig->smtpctl('unprofile', 'queue');
	ok($rig->logged(qr/mask 0\n\z/), 'unprofile');
};

subtest '^C ends a trace with its sum' => sub {
	my $rig = Ctlrig->start(lines => 2);
	my $err = "$rig->{dir}/trace.err";
	my $pid = fork() // die;
	if ($pid == 0) {
		$ENV{SMTPD_CONTROL} = $rig->{socket};
		open STDOUT, '>', "$rig->{dir}/trace.out";
		open STDERR, '>', $err;
		exec "$Ctlrig::build/smtpctl", 'trace', 'mta';
	}
	my $text = '';
	my $until = time + 60;
	until ($text =~ /n=1$/m || time > $until) {
		select undef, undef, undef, 0.02;
		open my $f, '<', "$rig->{dir}/trace.out" or next;
		local $/;
		$text = <$f> // '';
	}
	kill 'INT', $pid;
	waitpid $pid, 0;
	is($?, 0, 'exit code 0');
	open my $f, '<', $err;
	local $/;
	like(<$f>, qr/^trace: on, until \^C\n2 seen, 2 shown, 0 lost$/m,
	    'the sum');
};

waitpid $waiting, 0;
is($?, 0, 'a role that does not answer is named, and the rest is shown');
done_testing();
