#!/usr/bin/perl
# A file system without room: mail is turned away for now, deliveries go on,
# and mail is taken again when there is room.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use FakeMX;
use Spoolkit;

plan(skip_all => 'only root can mount') if $> != 0;
my $mount = tempdir(CLEANUP => 1);
my (undef, undef, $uid, $gid) = getpwnam('nobody');
plan(skip_all => 'no tmpfs can be mounted here')
    if system("mount -t tmpfs -o size=64m,mode=0700,uid=$uid,gid=$gid " .
	"spoolkit $mount 2>/dev/null") != 0;
chmod 0755, $mount;
my $mx = FakeMX->start(
	ok => {}, later => { RCPT => ['451 4.7.1 later', '250 2.1.5 ok'] });
my $d = Spoolkit->start(vars => { SPOOL => $mount,
	map { uc($_) => $mx->port($_) } qw(ok later) }, conf => <<'END');
spool "%SPOOL%/spool"
queue journal 4M
queue reserve 10%
accept from any for domain "ok.test" relay via "smtp://127.0.0.1:%OK%"
accept from any for domain "later.test" relay via "smtp://127.0.0.1:%LATER%"
END
END {
	my $saved = $?;
	$d->kill9 if $d && $d->pid;
	system("umount $mount 2>/dev/null || umount -l $mount");
	$? = $saved;
}
my $mail = "Subject: room\n\n" . "text\n" x 400;

sub send_to { return $d->send('a@b.test', $_[0], $mail) }

sub files { return scalar(() = glob("$mount/spool/queue/*/*")) }

sub fill {
	my ($most) = @_;
	open(my $f, '>', "$mount/filler") or die "$mount/filler: $!\n";
	binmode $f;
	for (1 .. $most) {
		last unless defined syswrite($f, 'x' x 1048576);
	}
}

like send_to('ann@later.test'), qr/^250 /, 'mail is taken';
ok $d->wait(sub { files() == 2 }, 15), 'and deferred';

for my $full (['below the reserve', 54], ['to the last octet', 100]) {
	my ($name, $most) = @$full;
	note($name);
	fill($most);
	my $reply;
	ok $d->wait(sub { ($reply = send_to('bob@ok.test')) =~ /^452 / }, 10),
	    'mail is turned away' or diag($reply);
	my (undef, $status) = $d->ctl(qw(show status));
	like $status, qr/full|reserve|room/i, 'which the status says';
	if ($most == 100) {
		$d->clock(500);
		ok $d->wait(sub { files() == 0 }, 20),
		    'what is queued is delivered';
		is scalar(grep { grep { /ann\@/ } @{$_->{rcpts}} }
		    $mx->messages('later')), 1, 'once';
	}
	unlink "$mount/filler";
	ok $d->wait(sub { ($reply = send_to('cat@ok.test')) =~ /^250 / }, 10),
	    'with room again it is taken' or diag($reply);
}
ok $d->wait(sub { $d->queue == 0 }, 20), 'and delivered';
is scalar($d->logged(qr/event=ready/)), 1, 'no process was replaced';
$d->stop;
done_testing;
