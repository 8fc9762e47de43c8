#!/usr/bin/perl
# An administrator's mess in the spool of a daemon at work: what was touched is
# listed with its reason and reported once, all else is delivered once, and
# what is repaired follows.
use strict;
use warnings;

use Fcntl qw(:mode);
use POSIX qw(mkfifo WNOHANG);
use Test::More;

use Spoolkit;

my $bench = Spoolkit::build_dir() . '/bench';
my $port = Spoolkit::free_port();
my $d = Spoolkit->start(vars => { SINK => $port }, conf => <<'END');
queue journal 8M
queue ttl 30d
accept from any for domain "relay.test" relay via "smtp://127.0.0.1:%SINK%"
END
my $dir = $d->dir;
my $spool = "$dir/spool";
my (%children, %acked, $shift);
END { kill 'KILL', keys %children if %children }

sub child {
	my ($out, @command) = @_;
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		open(STDOUT, '>', $out);
		{ no warnings; exec @command; }
		POSIX::_exit(127);
	}
	$children{$pid} = 1;
	return $pid;
}

sub flood {
	my ($run, @more) = @_;
	return child("$dir/flood-$run", "$bench/flood", '--port', $d->port,
		'--run', $run, '--acks', "$dir/acks-$run", '--size', '2K',
		'--to', "$run%u\@relay.test", '--json', @more);
}

# Waits for it and takes what was acknowledged into account.
sub flooded {
	my ($run, $pid, $want) = @_;
	$d->wait(sub { waitpid($pid, WNOHANG) == $pid }, 60);
	delete $children{$pid};
	my @acks = grep { /^ack / } split /\n/, Spoolkit::slurp("$dir/acks-$run");
	is scalar(@acks), $want, "flood $run: all is taken"
	    or diag(Spoolkit::slurp("$dir/flood-$run"),
	    grep { !/event=(?:deferred|session)/ } map { "$_\n" } $d->last_log(40));
	$acked{(split)[2]} = $run for @acks;
}

sub arrived {
	my %n;
	$n{(split)[1]}++ for split /\n/, Spoolkit::slurp("$dir/ids");
	return \%n;
}

sub row {
	my ($rcpt) = @_;
	my ($e) = grep { $_->{rcpt} eq $rcpt } $d->queue;
	return $e || {};
}

# Whatever has a time of its own comes to it.
sub later {
	$d->clock($shift += 4000);
	$d->ctl(qw(schedule all));
}

sub path {
	my ($id) = @_;
	return "$spool/queue/" . substr($id, 0, 2) . "/$id";
}

note('deferred, and in files');
flooded('a', flood('a', '--messages', 120, '--recipients', 2,
	'--sessions', 4), 240);
ok $d->wait(sub { $d->queue_files == 360 }, 20), 'all of it is in files';
ok $d->wait(sub { !grep { !$_->{tries} } $d->queue }, 20), 'and was tried';
my ($synced) = $d->ctl('sync');
is $synced, 0, 'which the files say too';
my @rows = $d->queue;
is scalar(@rows), 240, 'and listed';
my $before = join ' ', $d->pid, $d->role_pids->{spooler};

# Messages of two envelopes each, of buckets of their own.
my (%of, %bucket);
push @{$of{$_->{msgid}}}, $_ for @rows;
$bucket{substr($_, 0, 2)}++ for keys %of;
my @alone = grep { $bucket{substr($_, 0, 2)} == 1 && @{$of{$_}} == 2 }
    sort keys %of;
cmp_ok(scalar(@alone), '>=', 20, 'enough messages to touch');

# What is done to each, how it is undone, and who is touched by it: its first
# envelope, or all of the message.
my $text;
my @mess = (
	['chmod 000 of an envelope', 'env', sub { chmod 0, $_[0] },
		sub { chmod 0600, $_[0] }],
	['chmod 666 of an envelope', 'env', sub { chmod 0666, $_[0] },
		sub { chmod 0600, $_[0] }],
	['an envelope cut short', 'env', sub { truncate($_[0], 100) }, undef],
	['an envelope edited', 'env', sub {
		$text = Spoolkit::slurp($_[0]);
		Spoolkit::spew($_[0], $text =~ s/^tries: .*/tries: 0/mr);
	}, sub { 1 }],
	['a symbolic link', 'env', sub {
		rename($_[0], "$dir/kept1") && symlink("$dir/kept1", $_[0])
	}, sub { rename("$dir/kept1", $_[0]) }],
	['a fifo', 'env', sub {
		rename($_[0], "$dir/kept2") && mkfifo($_[0], 0600)
	}, sub { rename("$dir/kept2", $_[0]) }],
	['a directory', 'env', sub {
		rename($_[0], "$dir/kept3") && mkdir($_[0], 0700)
	}, sub { rmdir($_[0]) && rename("$dir/kept3", $_[0]) }],
	['a hard link', 'env', sub { link($_[0], "$dir/kept4") },
		sub { unlink("$dir/kept4") }],
	['chmod 000 of a message', 'msg', sub { chmod 0, $_[0] },
		sub { chmod 0600, $_[0] }],
	['chmod 666 of a message', 'msg', sub { chmod 0666, $_[0] },
		sub { chmod 0600, $_[0] }],
	['a directory for a message', 'msg', sub {
		rename($_[0], "$dir/kept5") && mkdir($_[0], 0700)
	}, sub { rmdir($_[0]) && rename("$dir/kept5", $_[0]) }],
	['chmod 000 of a bucket', 'bucket', sub { chmod 0, $_[0] },
		sub { chmod 0700, $_[0] }],
	['a bucket moved away', 'bucket', sub { rename($_[0], "$dir/kept6") },
		sub { rmdir($_[0]); rename("$dir/kept6", $_[0]) }],
	# These do not come back.
	['rm of an envelope', 'rm', sub { unlink($_[0]) }],
	['rm of a message', 'lost', sub { unlink($_[0]) }],
	['a message cut short', 'lost', sub { truncate($_[0], 300) }],
);
my (%touched, %gone, @undo);
for my $m (@mess) {
	my ($name, $what, $do, $undo) = @$m;
	my $msgid = shift @alone;
	my @envs = sort { $a->{evpid} cmp $b->{evpid} } @{$of{$msgid}};
	my $first = $what eq 'env' || $what eq 'rm';
	my $path = path($first ? $envs[0]{evpid} : $msgid);
	$path =~ s,/[^/]*\z,, if $what eq 'bucket';
	ok $do->($path), "done: $name" or diag("$path: $!");
	pop @envs if $first;
	for (@envs) {
		my $set = $what eq 'rm' || $what eq 'lost' ? \%gone : \%touched;
		$set->{$_->{rcpt}} = { %$_, name => $name, what => $what };
	}
	push @undo, [$name, $undo, $path] if $undo;
}
my ($one) = map { path($_) } shift @alone;
my $odd = $one =~ s,[^/]*\z,README,r;
Spoolkit::spew($odd, "do not touch\n");
mkdir "$spool/queue/private";
is join(' ', $d->pid, $d->role_pids->{spooler}), $before, 'nobody died';

note('the host comes up while mail comes in');
my $running = flood('b', '--messages', 300, '--rate', 150, '--sessions', 3);
child("$dir/sink-out", "$bench/sink", '--port', $port, '--ids', "$dir/ids");
ok $d->wait(sub { Spoolkit::Client->connect($port, 2) ? 1 : 0 }, 10),
    'the sink listens';
flooded('b', $running, 300);

sub whole {
	my $n = arrived();
	return !grep { !$n->{$_} && !$touched{$_} && !$gone{$_} } keys %acked;
}
ok $d->wait(sub { later() unless whole(); whole() }, 30),
    'all that was not touched is delivered';

sub error_of {
	my $error = $_[0]{error} // '';
	return ref $error ? join ' ', map { $_ // '' } values %$error : $error;
}

# The row says why it stays.
sub excused {
	my ($rcpt) = @_;
	return $d->wait(sub {
		my ($row) = grep { $_->{evpid} eq $touched{$rcpt}{evpid} }
		    $d->queue;
		return $row && error_of($row) =~ /read|cut short|damaged/;
	}, 5);
}
for my $rcpt (sort { $touched{$a}{name} cmp $touched{$b}{name} }
    keys %touched) {
	ok excused($rcpt), "$touched{$rcpt}{name}: listed with the reason"
	    or diag(error_of(row($rcpt)));
}
my $n = arrived();
is scalar(grep { $n->{$_} } keys %touched, keys %gone), 0,
    'nothing is sent of what cannot be read';

sub said_once {
	my ($when, $from) = @_;
	my (%said, @log);
	@log = $d->log;
	for (@log[$from .. $#log]) {
		$said{$1}++ if /((?:evpid|file)=\S+ event=(?:damaged|unavailable|gone))/
		    || /event=(anomaly file=\S+)/;
	}
	my @twice = grep { $said{$_} > 1 } keys %said;
	is scalar(@twice), 0, "$when: each is reported once"
	    or diag("@twice");
	return %said;
}
my %said = said_once('at work', 0);
for my $t (values %touched) {
	next if $t->{what} ne 'env';
	ok scalar(grep { /$t->{evpid}/ } keys %said), "$t->{name}: reported";
}
is join(' ', $d->pid, $d->role_pids->{spooler}), $before, 'nobody died';

note('a restart amid all this');
my $from = $d->log;
$d->restart;
ok $d->wait_log(qr/event=loaded/, 20, 2), 'it loads';
flooded('c', flood('c', '--messages', 50, '--sessions', 2), 50);
ok $d->wait(sub { whole() }, 20), 'new mail goes through';
%said = said_once('at the start', $from);
ok $said{"anomaly file=queue/" . substr($odd, length("$spool/queue/"))},
    'the foreign file is named' or diag(join "\n", keys %said);
ok -s $odd, 'and left alone';

note('repaired');
for (@undo) {
	my ($name, $undo, $path) = @$_;
	ok $undo->($path), "undone: $name" or diag("$path: $!");
}
my ($rc, $out, $err) = $d->ctl('discover', map { $_->{evpid} }
    values %touched);
sub mended {
	my $have = arrived();
	return !grep { !$have->{$_} } keys %touched;
}
ok $d->wait(sub { later() unless mended(); mended() }, 20),
    'all that was repaired is delivered'
    or diag("discover: $rc $out $err", map { "\n$_->{name} $_->{rcpt} " .
	error_of(row($_->{rcpt})) }
	grep { !arrived()->{$_->{rcpt}} } values %touched);
$n = arrived();
is join(' ', grep { $n->{$_} > 1 } keys %$n), '', 'each exactly once';
is join(' ', grep { $n->{$_} } keys %gone), '',
    'what lost its message or its envelope was not';
$d->stop;
done_testing;
