#!/usr/bin/perl
# The disk refuses, lies, is slow or does things by halves under the spooler,
# while mail comes in and is deferred: what cannot be stored is refused for now,
# nothing acknowledged is lost, it is said in a line and shown as long as it
# lasts, and ends without a restart. The long form is FAULT_ROW= and
# FAULT_ROUNDS=20, which injects each a thousand times.
use strict;
use warnings;

use Test::More;

use Faults;
use Loadrig;

my $rounds = $ENV{FAULT_ROUNDS} || 1;
my $f = Faults->new;
my $r = Loadrig->start(env => $f->env, conf => <<'END');
queue journal 4M
queue retry relay 1s
END
my $d = $r->d;
my $before = $r->processes;

# Each: name, faults by call, what the alarm says meanwhile (undef: nothing is
# to be seen of it), whether some mail must be refused, most lines of log.
my @rows = (
	['F1 every third flush of the journal fails',
		{ fdatasync => { error => 'EIO', every => 3,
			path => 'journal/' } },
		qr/journal/, 0, 4],
	['F1 no flush of the journal succeeds',
		{ fdatasync => { error => 'EIO', path => 'journal/' },
			fsync => { error => 'EIO', path => 'journal' } },
		qr/journal/, 1, 6],
	['F2 every seventh write to files finds no room',
		{ writev => { error => 'ENOSPC', every => 7 },
			write => { error => 'EDQUOT', every => 7,
				path => '/queue/' } },
		undef, 0, 6],
	['F2 the journal finds no room',
		{ pwritev => { error => 'ENOSPC', skip => 3 } },
		qr/journal/, 1, 6],
	['F2 no file can be made for want of inodes',
		{ openat => { error => 'ENOSPC', path => 'queue/' } },
		qr/No space left/, 0, 6],
	['F4 no descriptor is free for files',
		{ openat => { error => 'EMFILE' } },
		qr/Too many open files/, 0, 6],
	['F6 writes take seven octets, and are interrupted',
		{ writev => { cut => 7 }, write => { cut => 7,
			path => '/queue/' }, pwritev => { cut => 4099 },
			pread => { error => 'EINTR', every => 2 } },
		undef, 0, 0],
	['F6 everything is interrupted again and again',
		{ map { $_ => { error => 'EINTR', every => 3 } }
			qw(writev pwritev write) },
		undef, 0, 0],
	['F8 a flush takes two seconds',
		{ fdatasync => { delay => 2000, path => 'journal/' } },
		qr/flush takes seconds/, 0, 2],
	['F18 the file system is read-only',
		{ openat => { error => 'EROFS', path => 'queue/' },
			pwritev => { error => 'EROFS' } },
		qr/Read-only/, 1, 10],
	['F18 the file handle is stale',
		{ openat => { error => 'ESTALE', path => 'queue/' },
			fdatasync => { error => 'ESTALE' } },
		qr/Stale/i, 1, 10],
);

# The long form has all of them.
my $which = $ENV{FAULT_ROW} // '^(F1 every|F2 no|F6 writes|F8)';

sub row {
	my ($i, $name, $faults, $alarm, $refused, $lines) = @_;
	my $from = $d->log;
	my ($good, $bad, $seen) = (0, 0, 0);
	my %hits;

	note($name);
	$f->set($_ => $faults->{$_}) for sort keys %$faults;
	for my $round (1 .. $rounds) {
		my $run = $r->flood("r${i}n$round", '--messages', 60,
			'--sessions', 4, '--seconds', 2, '--timeout', 20,
			'--rate', 60, '--size', '3K');
		# At its end something must have been met.
		$seen ||= $d->wait(sub { $r->alarm =~ $alarm }, 12) if $alarm;
		my ($g, $b) = $r->flooded($run, 60);
		$good += $g;
		$bad += $b;
	}
	$d->wait(sub { !grep { $f->hits($_) == 0 } keys %$faults }, 6);
	$hits{$_} = $f->clear($_) for keys %$faults;
	ok !(grep { $hits{$_} == 0 } keys %hits), "$name: injected " .
	    join(' ', map { "$_=$hits{$_}" } sort keys %hits);
	ok $seen, "$name: the alarm says so" if $alarm;
	cmp_ok $bad, '>', 0, "$name: mail is refused" if $refused;
	cmp_ok $good, '>', 0, "$name: mail is taken" if !$refused;
	is $r->processes, $before, "$name: nobody ended";
	ok $r->wait_alarm(qr/^$/, 25), "$name: the alarm goes";
	my ($reply) = '';
	ok $d->wait(sub { ($reply = $d->send('a@b.test',
		"after$i\@relay.test", "Subject: x\n\nhi\n")) =~ /^250 / },
		10), "$name: mail is taken again" or diag $reply;
	$r->{acked}{"after$i\@relay.test"} = 1 if $reply =~ /^250/;
	my @said = $r->complaints($from);
	cmp_ok scalar(@said), '<=', $lines + 2, "$name: said in a few lines"
	    or diag map { "$_\n" } @said[0 .. ($#said > 20 ? 20 : $#said)];
}

for my $i (0 .. $#rows) {
	next if $rows[$i][0] !~ $which;
	row($i, @{$rows[$i]});
}
note('a kill, a start, and the books');
$d->kill9;
$d->run;
$r->sink_up;
ok $r->wait_whole(30), 'all that was acknowledged is delivered'
    or diag map { "$_->{evpid} $_->{rcpt} $_->{state}\n" } $d->queue;
$r->balanced;
ok $d->wait(sub { $d->queue == 0 && $d->queue_files == 0 }, 20),
    'nothing stays in the queue';
$d->stop;
done_testing;
