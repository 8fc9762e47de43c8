#!/usr/bin/perl
# The files cannot be flushed. What was written since the last good checkpoint
# may be lost whatever a later flush says, so it is written again from the
# journal, into new files; the alarm says so and goes by itself, mail is taken
# before, meanwhile and after, the journal comes round again, and a kill after
# all of that loses nothing.
use strict;
use warnings;

use Test::More;

use Faults;
use Loadrig;

my $f = Faults->new;
my $r = Loadrig->start(env => $f->env, conf => <<'END_OF_CONF');
queue journal 4M
queue retry relay 1h
END_OF_CONF
my $d = $r->d;
my $before = $r->processes;
my $tree = "$d->{dir}/spool/queue";

sub status {
	my ($name) = @_;
	my ($row) = grep { ($_->{role} // '') eq 'spooler' }
	    $d->ctl_json(qw(show status));
	return $row->{$name};
}

sub flooded {
	my ($name, $n, %more) = @_;
	my $all = $n * ($more{'--recipients'} // 1);
	my ($good, $bad) = $r->flooded($r->flood($name, '--messages', $n,
		'--sessions', 4, %more), 300);
	is "$good $bad", "$all 0", "$name: all is taken";
}

# { name => inode } of the files of the queue. They stay open, so that no other
# file gets the number of one that went.
my @open;
sub inodes {
	return map {
		open(my $in, '<', $_) or die "$_: $!";
		push @open, $in;
		s,.*/,,r => (stat $in)[1];
	} glob("$tree/*/*");
}

sub settled {
	my ($n) = @_;
	ok $d->wait(sub { $d->queue_files == $n }, 60), "$n files";
}

# Mail in files of which nothing was flushed, and a fault for its first flush.
# A checkpoint also comes by itself, with a segment that is full or after half
# a minute: it meets the fault as well, and then this is not that mail.
my $files = 0;
sub suspects {
	my ($name, $fault, $n, $recipients) = @_;
	my (%old, $clean);

	for my $try (1 .. 20) {
		is +($d->ctl('sync'))[0], 0, 'a checkpoint';
		%old = inodes();
		$f->set(syncfs => $fault);
		flooded("$name$try", $n, '--recipients', $recipients);
		settled($files += $n * (1 + $recipients));
		last if $clean = $f->hits('syncfs') == 0;
		$f->clear('syncfs');
		ok $r->wait_alarm(qr/^$/, 120), 'one came by itself';
	}
	ok $clean, 'none of it was flushed';
	return %old;
}

# What a person sees of a message, without what each attempt changes.
sub texts {
	return map { my ($name) = m,([^/]*)$,;
		$name => Spoolkit::slurp($_) =~
		    s/^(tries|last-try|next-try|history|check): .*\n//mgr }
	    @_;
}

# Nothing is tried meanwhile: a file stays as it was written.
$d->ctl(qw(pause mta));
note('it fails once');
flooded('before', 20);
settled($files += 40);
my %old = suspects('suspect', { error => 'EIO', most => 1 }, 15, 2);
my %first = inodes();
isnt +($d->ctl('sync'))[0], 0, 'sync says that it failed';
is $f->clear('syncfs'), 1, 'once';
ok $d->wait(sub { $d->logged(qr/event=checkpoint-failed/) }, 60),
    'which is logged';
flooded('during', 20);
ok $r->wait_alarm(qr/^$/, 60), 'the alarm goes by itself';
ok $d->wait_log(qr/event=checkpoint-again/, 60), 'which is logged as well';
settled($files += 40);
my %now = inodes();
is scalar(grep { $now{$_} != $first{$_} } grep { !$old{$_} } keys %first),
    45, 'what was filed since the checkpoint has become other files';
is scalar(grep { $now{$_} != $old{$_} } keys %old), 0,
    'what was flushed before is as it was';
is +($d->ctl('sync'))[0], 0, 'sync goes well';

note('it fails again and again, and what it flushed is lost');
%now = suspects('lost', { error => 'EIO' }, 10, 1);
my @suspects = grep { !$now{s,.*/,,r} } glob("$tree/*/*");
is scalar(@suspects), 20, 'ten messages and their envelopes';
my %texts = texts(@suspects);
isnt +($d->ctl('sync'))[0], 0, 'it cannot be flushed';
ok $d->wait(sub { $f->hits('syncfs') >= 2 }, 60), 'nor when written again';
ok $r->wait_alarm(qr/could not be flushed/, 60), 'the alarm stays';
for my $path (@suspects) {
	my $out;
	# It is away for a moment while it is written again.
	$d->wait(sub { open($out, '+<', $path) }, 60) or die "$path: $!";
	print $out "\0" x -s $out;
	close($out) or die "$path: $!";
}
flooded('meanwhile', 10);
# What is flushed well must have been written after that.
my $failed = $f->hits('syncfs');
ok $d->wait(sub { $f->hits('syncfs') > $failed }, 120), 'it fails once more';
cmp_ok $f->clear('syncfs'), '>', 1, 'then it can';
ok $r->wait_alarm(qr/^$/, 120), 'the alarm goes';
is_deeply { texts(@suspects) }, \%texts, 'what was lost is whole again';

note('ten times the journal');
my $size = status('journal_bytes');
$r->sink_up;
$d->ctl(qw(resume mta));
$r->later;
# While a checkpoint takes its time the ring is full, and mail is refused.
my $taken = 0;
for my $n (1 .. 200) {
	$taken += ($r->flooded($r->flood("traffic$n-", '--messages', 260,
		'--sessions', 4, '--size', '16K'), 300))[0];
	last if $taken >= 2600;
}
cmp_ok $taken, '>=', 2600, 'traffic: all of it is taken in the end';
cmp_ok status('journal_used_bytes'), '<', $size, 'it comes round';
# A disk that others use as well may be slow for a while.
ok $r->wait_alarm(qr/^$/, 60), 'and no alarm stays';

note('a kill');
$d->kill9;
$d->run;
ok $r->wait_whole(180), 'all that was acknowledged is delivered';
$r->balanced;
ok $d->wait(sub { $d->queue == 0 && $d->queue_files == 0 }, 60),
    'nothing stays in the queue';
is join(' ', map { s,.*/,,r } glob("$d->{dir}/spool/corrupt/*")), '',
    'nor in corrupt/';
$d->stop;
done_testing;
