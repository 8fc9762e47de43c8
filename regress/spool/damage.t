#!/usr/bin/perl
# A daemon whose queue was damaged while it was down, and one message while it
# was being sent: what is whole goes out as it was, nothing else does, and all
# of the rest is listed with its reason. In the clear and sealed.
use strict;
use warnings;

use Fcntl qw(SEEK_SET);
use Test::More;

use FakeMX;
use Spoolkit;
use Spoolkit::Ring;

my $ring = Spoolkit::Ring->new;
$ring->write(active => 'first-key-000001');

# What is done to the n-th message: to which file, and how.
my @harm = (
	['none'],
	['message', 'flip', sub { 30 }],	# the first line
	['message', 'flip', sub { 170 }],	# the digest, or the key
	['message', 'flip', sub { 700 }],	# record or ciphertext
	['message', 'flip', sub { $_[0] - 3 }],	# the last octets
	['message', 'cut', sub { $_[0] - 1 }],
	['message', 'cut', sub { 100 }],
	['message', 'cut', sub { 0 }],
	['envelope', 'flip', sub { 40 }],
	['envelope', 'flip', sub { $_[0] - 30 }],
	['envelope', 'cut', sub { $_[0] - 5 }],	# made again from the record
	['none'],
);
my $copies = 3;

sub text {
	my ($n, $octets) = @_;
	my $line = "line of message $n " . 'x' x ($n % 40);
	return "Subject: message $n\n\n" . "$line\n" x ($octets / length $line);
}

sub harm {
	my ($path, $how, $at) = @_;
	my $size = -s $path;
	my $where = $at->($size);

	open(my $f, '+<', $path) or die "$path: $!\n";
	binmode $f;
	if ($how eq 'cut') {
		truncate($f, $where) or die "$path: $!\n";
		return;
	}
	sysseek($f, $where, SEEK_SET);
	sysread($f, my $octet, 1);
	sysseek($f, $where, SEEK_SET);
	syswrite($f, chr(ord($octet) ^ 4));
}

for my $form ('clear', 'sealed') {
	my $mx = FakeMX->start(next => {}, slow => { slow => 600000 });
	my $d = Spoolkit->start(vars => { NEXT => $mx->port('next'),
			SLOW => $mx->port('slow'), RING => $ring->path },
		conf => ($form eq 'clear' ? '' : "queue encryption key "
			. "file:%RING% compression zstd\n") . <<'END');
queue journal 8M
accept from any for domain "next.test" relay via "smtp://127.0.0.1:%NEXT%"
accept from any for domain "slow.test" relay via "smtp://127.0.0.1:%SLOW%"
END
	my $spool = $d->dir . '/spool';
	my (%sent, %harmed, %whole);

	$d->ctl(qw(pause mta));
	for my $n (0 .. @harm * $copies - 1) {
		# Some of several segments.
		my $text = text($n, $n < @harm ? 2000 : 150000);
		like($d->send('a@b.test', "r$n\@next.test", $text), qr/^250/,
			"$form: message $n") if $n == 0;
		$d->send('a@b.test', "r$n\@next.test", $text) if $n > 0;
		$sent{"r$n\@next.test"} = $text;
	}
	my @todo;
	for my $row ($d->queue) {
		my ($n) = $row->{rcpt} =~ /^r(\d+)/ or next;
		my ($what, $how, $at) = @{$harm[$n % @harm]};
		my $id = $row->{evpid};
		my $name = "$spool/queue/" . substr($id, 0, 2) . '/'
		    . ($what eq 'message' ? substr($id, 0, 12) : $id);

		push @todo, [$name, $how, $at] if $what ne 'none';
		if ($what eq 'none' || ($what eq 'envelope' && $how eq 'cut')) {
			$whole{$row->{rcpt}} = 1;
		} else {
			$harmed{$id} = $row->{rcpt};
		}
	}
	is(keys(%whole) + keys(%harmed), @harm * $copies, "$form: all is queued");
	$d->ctl('sync');
	$d->stop("$form: stops before it is damaged");
	harm(@$_) for @todo;
	$d->run;
	my $pids = $d->role_pids;
	$d->ctl(qw(resume mta));
	ok($d->wait(sub { $mx->messages >= keys %whole }, 30),
		"$form: what is whole goes out") or diag(scalar $mx->messages);
	ok($d->wait(sub { $d->queue == keys %harmed }, 20),
		'the rest stays') or diag(explain [$d->queue]);
	# Nothing of them is on its way any more.
	ok($d->wait(sub { (grep { ($_->{state} // '') !~ /broken/ }
			    $d->queue) == 0 }, 20),
		'listed as broken') or diag(explain [$d->queue]);
	is_deeply([sort map { $_->{evpid} } $d->queue], [sort keys %harmed],
		'and it is these');
	is((grep { !$_->{error} } $d->queue), 0, 'each with its reason');
	my %got;
	for my $m ($mx->messages) {
		my ($rcpt) = @{$m->{rcpts}};
		$rcpt =~ s/.*<(.*)>.*/$1/;
		$got{$rcpt}++;
		my ($body) = $m->{data} =~ /\r\n\r\n(.*)/s;
		my ($want) = $sent{$rcpt} =~ /\n\n(.*)/s;
		$body =~ s/\r\n/\n/g;
		fail("$form: $rcpt is another") if $body ne $want;
	}
	is_deeply(\%got, \%whole, 'nobody got another, a short or a second one');

	# One that is damaged while it is sent, behind what was read of it.
	if ($form eq 'sealed') {
		$d->ctl(qw(pause mta));
		my $big = "Subject: big\n\n" . join('', map {
			join('', map { chr(33 + int rand 90) } 1 .. 70) . "\n"
		} 1 .. 30000);
		like($d->send('a@b.test', 'big@slow.test', $big), qr/^250/,
			'a large one');
		my ($row) = grep { $_->{rcpt} =~ /^big/ } $d->queue;
		$d->ctl('sync');
		$d->ctl(qw(resume mta));
		ok($d->wait(sub { grep { /DATA/ } $mx->commands('slow') }, 10),
			'is on its way');
		harm("$spool/queue/" . substr($row->{evpid}, 0, 2) . '/'
			. substr($row->{evpid}, 0, 12), 'flip',
			sub { $_[0] - 100 });
		ok($d->wait(sub { grep { $_->{evpid} eq $row->{evpid}
				&& $_->{state} =~ /broken/ } $d->queue }, 30),
			'is found out and held');
		is(scalar($mx->messages('slow')) // 0, 0,
			'and was not taken by anybody');
	}
	is(join(' ', sort values %{$d->role_pids}),
		join(' ', sort values %$pids), 'all by the same processes');
	$d->stop;
	$mx->stop;
}
done_testing();
