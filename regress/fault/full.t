#!/usr/bin/perl
# A file system of 64 MiB is filled with mail until there is no room for more,
# once of blocks and once of inodes: mail is refused for now, deliveries and
# removals go on with nothing free at all, and with room it is taken again.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Loadrig;

plan(skip_all => 'only root can mount') if $> != 0;
plan(skip_all => 'no loop device') unless -e '/dev/loop-control';
my @mounted;
END {
	my $saved = $?;
	for (@mounted) {
		system("umount $_ 2>/dev/null || umount -l $_");
	}
	$? = $saved;
}

sub loop_fs {
	my (@options) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my (undef, undef, $uid, $gid) = getpwnam('nobody');

	truncate_to("$dir/image", 64 << 20);
	mkdir "$dir/fs";
	system("mkfs.ext4 -q -F -m 0 @options $dir/image") == 0
	    or die "mkfs.ext4\n";
	system("mount -o loop $dir/image $dir/fs") == 0 or die "mount\n";
	push @mounted, "$dir/fs";
	chmod 0755, $dir, "$dir/fs";
	chown $uid, $gid, "$dir/fs";
	rmdir "$dir/fs/lost+found";
	return "$dir/fs";
}

sub truncate_to {
	my ($path, $size) = @_;
	open(my $f, '>', $path) or die "$path: $!\n";
	truncate($f, $size) or die "$path: $!\n";
	close $f;
}

for my $case (['blocks', '100K', 700, '-N 8192'],
    ['inodes', '1K', 400, '-N 640']) {
	my ($name, $size, $many, @options) = @$case;
	my $fs = loop_fs(@options);
	my $r = Loadrig->start(vars => { SPOOL => $fs }, conf => <<'END');
spool "%SPOOL%/spool"
queue journal 4M
queue retry relay 1s
END
	my $d = $r->d;
	my $before = $r->processes;
	my $reply;

	note("full of $name");
	my $run = $r->flood($name, '--messages', $many, '--size', $size,
		'--sessions', 4);
	my ($good, $bad) = $r->flooded($run, 60);
	cmp_ok $good, '>', 50, "$name: $good are taken";
	cmp_ok $bad, '>', 20, "$name: $bad are refused";
	# What was left of the reserve goes to somebody else.
	if ($name eq 'blocks') {
		system("dd if=/dev/zero of=$fs/filler bs=64k 2>/dev/null");
		system("dd if=/dev/zero of=$fs/filler2 bs=1k 2>/dev/null");
	} else {
		for (1 .. 1000) {
			open(my $f, '>', "$fs/filler$_") or last;
		}
	}
	my $n = 0;
	ok $d->wait(sub {
		my $to = "x$name" . $n++ . '@relay.test';
		$reply = $d->send('a@b.test', $to, "Subject: x\n\nhi\n");
		$r->{acked}{$to} = 1 if $reply =~ /^250 /;
		return $reply =~ /^452 /;
	}, 10), "$name: with 452" or diag $reply;
	ok $r->wait_alarm(qr/room/, 10), "$name: the alarm says so";
	# One that is not being tried at this moment.
	my ($one, @said);
	ok $d->wait(sub {
		($one) = $d->queue;
		@said = $d->ctl('remove', $one->{evpid});
		return $said[0] == 0;
	}, 10), "$name: with nothing free one can be removed" or diag @said;
	delete $r->{acked}{$one->{rcpt}};
	$r->sink_up;
	ok $r->wait_whole(40), "$name: and the others are delivered";
	ok $d->wait(sub { $d->queue == 0 }, 10), "$name: all are gone";
	unlink glob("$fs/filler*");
	ok $d->wait(sub { ($reply = $d->send('a@b.test', 'y@relay.test',
		"Subject: x\n\nhi\n")) =~ /^250 / }, 40),
	    "$name: with room mail is taken again"
	    or diag $reply, $d->ctl(qw(show status)), `df -i $fs; df $fs; ls $fs`;
	$r->{acked}{'y@relay.test'} = 1;
	ok $r->wait_whole(10), "$name: and delivered";
	$r->balanced("$name: nothing is lost, sent twice or invented");
	ok $r->wait_alarm(qr/^$/, 15), "$name: the alarm has gone";
	is $r->processes, $before, "$name: nobody ended";
	ok $d->wait(sub { !glob("$fs/spool/queue/*/*") }, 20),
	    "$name: the tree is empty";
	$d->stop;
}
done_testing;
