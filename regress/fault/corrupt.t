#!/usr/bin/perl
# What is set aside is kept with its reason, counted, and brought back when it
# reads well; what was finished before is not sent twice, whoever brings it
# back.
use strict;
use warnings;

use Test::More;

use Loadrig;

my $r = Loadrig->start(conf => "queue journal 4M\nqueue retry relay 1s\n");
my $d = $r->d;
my $spool = $d->dir . '/spool';

sub bucket { "$spool/queue/" . substr($_[0], 0, 2) }

sub path { bucket($_[0]) . "/$_[0]" }

sub corrupt {
	my @names = sort map { s,.*/,,r } grep { !/\.why$/ }
	    glob("$spool/corrupt/*");
	return @names;
}

sub status {
	my ($name) = @_;
	my ($row) = grep { ($_->{role} // '') eq 'spooler' }
	    $d->ctl_json(qw(show status));
	return $row->{$name};
}

sub row {
	my ($evpid) = @_;
	my ($e) = grep { $_->{evpid} eq $evpid } $d->queue;
	return $e || {};
}

sub in_files {
	my ($n) = @_;
	return $d->wait(sub { $d->queue_files == $n }, 20);
}

sub send_one {
	my (@to) = @_;
	my $reply = $d->send('a@b.test', [map { "$_\@relay.test" } @to],
		"Subject: x\n\nhi\n");
	$r->{acked}{"$_\@relay.test"} = 1 for @to;
	return $reply =~ /^250 .*?([0-9a-f]{12})/ ? $1 : die $reply;
}

note('a message is removed under its envelopes');
my $lost = send_one('ann', 'bob');
my $kept = send_one('cat');
ok in_files(5), 'all is in files';
rename(path($lost), "$d->{dir}/message") or die;
$r->sink_up;
ok $d->wait(sub { $r->later; !$r->missing({ 'ann@relay.test' => 1,
	'bob@relay.test' => 1 }) }, 15), 'others are delivered';
ok $d->wait(sub { corrupt() == 2 }, 15), 'its envelopes are set aside';
is join(' ', corrupt()), "${lost}0001 ${lost}0002", 'by their names';
like Spoolkit::slurp("$spool/corrupt/${lost}0001.why"),
    qr/^\d{4}-\S+Z .*queue.*without its message/,
    'with when, from where and why';
is scalar($d->logged(qr/event=anomaly file=\S*${lost}0001 /)), 1,
    'which is logged once';
is scalar($d->queue), 0, 'and they are no longer tried';
ok $d->wait(sub { status('corrupt_files') == 2 }, 10), 'they are counted';
my ($rc, $out, $err);
# What is still being removed is to be asked for again.
sub uncorrupt {
	my ($id) = @_;
	$d->wait(sub {
		($rc, $out, $err) = $d->ctl('uncorrupt', $id);
		return $rc != 75;
	}, 10);
}
uncorrupt($lost);
is $rc, 65, 'without the message they do not come back';
like $err, qr/message/, 'and it is said why';
rename("$d->{dir}/message", path($lost)) or die;
uncorrupt($lost);
is $rc, 0, 'with it they do' or diag $err;
ok $d->logged(qr/event=uncorrupted/), 'which is logged';
ok $r->wait_whole(15), 'and are sent';
$r->balanced('once each');
is join(' ', corrupt()), '', 'corrupt/ is empty';
ok $d->wait(sub { $d->queue_files == 0 }, 10), 'and so is the queue';
uncorrupt($lost);
is $rc, 66, 'an id that is not there';
($rc) = $d->ctl('uncorrupt', 'xyz');
is $rc, 64, 'what is no id';

note('files that do not read well');
$d->ctl(qw(pause mta));
my @ids = map { send_one("dan$_") } 1 .. 3;
ok in_files(6), 'three more in files';
$d->stop('a stop');
for my $id (@ids) {
	rename(path("${id}0001"), "$spool/corrupt/${id}0001");
	rename(path($id), "$spool/corrupt/$id");
}
truncate("$spool/corrupt/$ids[0]", 100);
my $text = Spoolkit::slurp("$spool/corrupt/$ids[1]0001");
Spoolkit::spew("$spool/corrupt/$ids[1]0001", $text =~ s/dan2/dan9/r);
truncate("$spool/corrupt/$ids[2]0001", 60);
$d->run;
uncorrupt($ids[0]);
is $rc, 65, 'a message cut short is refused';
like $err, qr/$ids[0]/, 'by its name' or diag $err;
uncorrupt($ids[1]);
is $rc, 65, 'an envelope that was tampered with is refused';
like $err, qr/edited or damaged/, 'with the reason';
Spoolkit::spew("$spool/corrupt/$ids[1]0001", $text);
uncorrupt("$ids[1]0001");
is $rc, 0, 'mended it comes back, by the id of the envelope' or diag $err;
isnt row("$ids[1]0001")->{state}, 'held', 'and is not held';
uncorrupt($ids[2]);
is $rc, 0, 'one cut short is made anew of the record' or diag $err;
is row("$ids[2]0001")->{state}, 'held', 'and held';
$d->kill9;
$d->run;
ok $d->wait(sub {
	(row("$ids[2]0001")->{state} // '') eq 'held' && row("$ids[1]0001")->{rcpt}
}, 60), 'also after a crash';
is row("$ids[1]0001")->{rcpt}, 'dan2@relay.test', 'the other is there';
$d->ctl('resume', 'envelope', $ids[2]);
$d->ctl(qw(resume mta));
delete $r->{acked}{'dan1@relay.test'};
ok $r->wait_whole(15), 'both are sent';
$r->balanced('once');

note("yesterday's queue over today's, and a bucket that was away");
$d->ctl(qw(pause mta));
my $run = $r->flood('y', '--messages', 40, '--recipients', 2, '--sessions', 4);
$r->flooded($run);
ok $d->wait(sub { $d->queue_files == 120 }, 20), 'forty messages in files';
is +($d->ctl('sync'))[0], 0, 'which are exact';
is system("cp -a $spool/queue $d->{dir}/yesterday"), 0, 'a backup';
my ($away) = map { substr($_, 0, 2) } $d->queue_files;
rename("$spool/queue/$away", "$d->{dir}/away") or die;
my %away = map { s,.*/,,r => 1 } glob("$d->{dir}/away/*");
$d->ctl(qw(resume mta));
my %stays = map { $_->{rcpt} => 1 } grep { $away{$_->{evpid}} } $d->queue;
cmp_ok scalar(keys %stays), '>', 0, 'some cannot be read';
ok $r->wait_whole(20, \%stays), 'all others are sent';
like $r->alarm, qr/envelopes cannot be used|queue/, 'the alarm says so';
sub loads { return scalar(() = $d->logged(qr/event=loaded/)) }
my $loads = loads();
$d->restart;
ok $d->wait(sub { loads() == $loads + 1 }, 15), 'a start without it';
is system("cp -a $d->{dir}/yesterday/. $spool/queue/"), 0,
    'the backup is copied over it';
$d->restart;
ok $d->wait(sub { loads() == $loads + 2 }, 15), 'it is read';
ok $r->wait_whole(20), 'those of the bucket are sent';
my @refused = $d->logged(qr/event=anomaly .*it was finished before/);
cmp_ok scalar(@refused), '>=', 80 - keys %stays, 'the others are refused';
my %once;
$once{$_}++ for map { /file=(\S+)/ } @refused;
is scalar(grep { $_ > 1 } values %once), 0, 'each is said once';
$r->balanced('and nothing is sent twice');
ok $d->wait(sub { $d->queue_files == 0 }, 20), 'the tree is empty';
# Not the one that is cut short, which lies there from before.
my ($again) = grep { /^[0-9a-f]{16}$/ && !/^$ids[0]/ } corrupt();
uncorrupt(substr($again, 0, 12));
is $rc, 0, 'who insists gets one back' or diag $err;
is row($again)->{state}, 'held', 'held';
$d->restart;
ok $d->wait(sub { (row($again)->{state} // '') eq 'held' }, 10),
    'and it stays so across a start';
$r->balanced('not sent');
$d->stop;
done_testing;
