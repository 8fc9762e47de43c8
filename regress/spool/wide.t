#!/usr/bin/perl
# Many envelopes of one message, each as long as a person made it: they go out
# to their carrier in as many tasks as it takes.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

use constant RCPTS => 60;

my $mx = FakeMX->start(
	far => { RCPT => [('451 4.7.1 later') x RCPTS, '250 2.1.5 ok'] },
	never => { RCPT => ['451 4.7.1 later'] });
my $d = Spoolkit->start(
	vars => { FAR => $mx->port('far'), NEVER => $mx->port('never') },
	conf => <<'END');
limit mta rejects-in-a-row 100
accept from any for domain "never.test" relay via "smtp://127.0.0.1:%NEVER%"
accept from any for any relay via "smtp://127.0.0.1:%FAR%"
END

my @to = map { "r$_\@far.test" } 1 .. RCPTS;
like $d->send('a@shop.example', \@to, "Subject: wide\n\nhello\n"), qr/^250 /,
    'a message for many is taken';
ok $d->wait(sub {
	my @tried = grep { ($_->{tries} // 0) == 1 } $d->queue;
	@tried == RCPTS;
}, 20), 'each was tried once';
is +($d->ctl('sync'))[0], 0, 'files are exact';
my @files = grep { m{/[0-9a-f]{16}$} } glob $d->dir . '/spool/queue/*/*';
is scalar @files, RCPTS, 'an envelope each';
for my $file (@files) {
	my $text = Spoolkit::slurp($file);
	$text =~ s/^(?=generation:)/'x-note: ' . 'n' x 6000 . "\n"/me;
	Spoolkit::spew($file, $text);
}
my ($msgid) = $files[0] =~ m{([0-9a-f]{12})[0-9a-f]{4}$};
is +($d->ctl('discover', $msgid))[0], 0, 'the edits are taken';
my $before = $d->role_pids;
is +($d->ctl('schedule', 'all'))[0], 0, 'and tried at once';
ok $d->wait(sub { !$d->queue }, 20), 'all are delivered';
is_deeply $d->role_pids, $before, 'by the same roles';

# One that has room for nothing more: an attempt counts all the same.
my ($e, $file);
$d->send('a@shop.example', 'ann@never.test', "Subject: full\n\nhello\n");
sub tries {
	($e) = $d->queue;
	return $e ? $e->{tries} // 0 : 0;
}
ok $d->wait(sub { tries() == 1 }, 20), 'it was tried';
is +($d->ctl('sync'))[0], 0, 'its file is exact';
($file) = grep { /$e->{evpid}$/ } glob $d->dir . '/spool/queue/*/*';
my $text = Spoolkit::slurp($file);
my $room = 65536 - 60 - length $text;
$text =~ s/^(?=generation:)/'x-note: ' . 'n' x $room . "\n"/me;
Spoolkit::spew($file, $text);
is +($d->ctl('discover', $e->{evpid}))[0], 0, 'nearly 64 KiB are taken';
is +($d->ctl('schedule', 'all'))[0], 0, 'tried again';
ok $d->wait(sub { tries() == 2 }, 20), 'that counts';
$d->restart;
ok $d->wait(sub { tries() == 2 }, 20), 'and is not forgotten';
done_testing;
