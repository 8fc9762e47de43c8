#!/usr/bin/perl
# Selectors beside a running daemon, whose queue is compressed and sealed and
# still in its journal; and after it was stopped.
use strict;
use warnings;
use Spoolkit;
use Spoolkit::Ring;
use Test::More;

my $ring = Spoolkit::Ring->new;
$ring->write(active => 'first-key-000001');
my $d = Spoolkit->start(vars => { RING => $ring->path }, conf => <<'END');
queue compression zstd
queue encryption key file:%RING%
accept from any for domain "later.test" relay via "smtp://127.0.0.1:9"
accept from any for domain "other.test" relay via "smtp://127.0.0.1:9"
END

sub taken {
	my ($from, $to, $text) = @_;
	like($d->send($from, $to, $text), qr/^250/, "$to is taken");
}

is(($d->ctl(qw(pause mta)))[0], 0, 'nothing is delivered');
taken('News@Shop.test', 'ann@later.test',
    "Subject: Your invoice\nList-Id: <one.test>\n\nThe lottery\n");
taken('', 'bob@other.test', "Subject: returned\n\nNothing of it.\n");
taken('news@shop.test', 'Eve@later.test',
    "Subject: third\n\n" . ('A long line of prose. ' x 40 . "\n") x 400);

# What stands in a column of list for a selector, or the exit code.
sub chosen {
	my ($selector, @more) = @_;
	my @words = (Spoolkit::build_dir() . "/qtool", '-d', $d->dir . '/spool',
	    '--keyring', $ring->path, 'list', '--fields', 'rcpt', '--sort',
	    'rcpt', @more, $selector);
	my $pid = open(my $fh, '-|') // die;
	if ($pid == 0) {
		exec($d->as_user, @words) or die;
	}
	my @rows = <$fh>;
	close($fh);
	chomp @rows;
	s/@.*// for @rows;
	return $? == 0 ? join(' ', @rows) : 'exit ' . ($? >> 8);
}

my @always = (
	['all' => 'Eve ann bob'],
	['sender.domain = SHOP.test' => 'Eve ann'],
	['sender.null || rcpt ~ a*@LATER.test' => 'ann bob'],
	['subject ~ /^your/i' => 'ann'],
	['hdr.List-Id = "<one.test>"' => 'ann'],
	['body ~ /lottery$/' => 'ann'],
	['size > 100K' => 'Eve'],
	['comp = zstd && enc = aes-256-gcm && kid = first-key-000001' =>
	    'Eve ann bob'],
	['size > 300K && stored < 100K' => 'Eve'],
	['client.ip = 127.0.0.0/8 && age < 1h' => 'Eve ann bob'],
	['held' => 'bob'],
);

my ($bob) = grep { $_->{rcpt} =~ /^bob/ } $d->queue;
is(($d->ctl('pause', 'envelope', $bob->{evpid}))[0], 0, 'one is held');
is(chosen($_->[0]), $_->[1], "beside it: $_->[0]") for @always;
is(chosen('state = ready'), 'Eve ann', 'ready, as smtpctl has it');
is(chosen('state = offline'), '', 'somebody is at work');
$d->stop;
is(chosen($_->[0]), $_->[1], "at rest: $_->[0]") for @always;
is(chosen('state = offline'), 'Eve ann', 'nobody is');

done_testing();
