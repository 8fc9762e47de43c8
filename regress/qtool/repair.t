#!/usr/bin/perl
# Everything at once: a spool with mail that is broken in each way is mended,
# verify is content, a second run finds nothing, the daemon starts on it and
# delivers, once, all that could be saved. REPEAT=n for other places of the
# same faults; the seed is printed.
use strict;
use warnings;
use Broken qw(tree message envelope spew slurp flip file_of);
use FakeMX;
use File::Find;
use File::Temp qw(tempdir);
use Spoolkit;
use Test::More;

my $build = $ENV{BUILD} || 'build';
my $seed = $ENV{SEED} || time;
srand($seed);
diag("seed $seed");
my $dir = tempdir('repair.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod(0755, $dir);
my (undef, undef, $uid, $gid) = getpwnam('nobody');
my ($spool, $exit, %mail, @free);

sub qtool {
	my (@words) = @_;
	my $out = `$build/qtool -d $spool @words 2>&1`;
	$exit = $? >> 8;
	return $out;
}

sub path { return "$spool/" . file_of($_[0]) }

# A message of n envelopes, and the recipients that must get it.
sub mail {
	my ($n) = @_;
	my $id = sprintf('%04x%04x%04x', map { int(rand(65536)) } 1 .. 3);
	my @to = map { "r$_.$id\@example.net" } 1 .. $n;
	my @texts = map { envelope(sprintf('%s%04x', $id, $_),
	    recipient => $to[$_ - 1], destination => $to[$_ - 1]) } 1 .. $n;
	spew(path($id), message($id, @texts));
	spew(path(sprintf('%s%04x', $id, $_)), $texts[$_ - 1]) for 1 .. $n;
	$mail{$_} = 1 for @to;
	return $id;
}

sub lost { delete $mail{"r$_[1].$_[0]\@example.net"} }

sub first { return "$_[0]0001" }

# Each breaks one mail of two envelopes; what cannot be saved is not awaited.
my @faults = (
	sub { spew(path(first($_[0])), '') },
	sub { spew(path($_[0]), ''); lost($_[0], $_) for 1, 2 },
	sub { spew(path(first($_[0])),
	    substr(slurp(path(first($_[0]))), 0, int(rand(300)))) },
	sub {
		my $text = slurp(path($_[0]));
		spew(path($_[0]), substr($text, 0, int(rand(length($text)))));
		lost($_[0], $_) for 1, 2;
	},
	sub { flip(path($_[0]), 700); lost($_[0], $_) for 1, 2 },
	sub { flip(path(first($_[0])), int(rand(300))) },
	sub { unlink(path(first($_[0])), path("$_[0]0002")) }, # adopted
	sub { unlink(path($_[0])); lost($_[0], $_) for 1, 2 },
	sub { rename(path($_[0]), "$spool/queue/00/$_[0]") },
	sub { rename(path(first($_[0])), "$spool/queue/ff/" . first($_[0])) },
	sub { spew(path(first($_[0])) . '.new', 'x');
	    utime(1, 1, path(first($_[0])) . '.new') },
	sub { spew(path("$_[0]0009"), slurp(path(first($_[0])))) },
	sub { spew(path(first($_[0])), slurp(path("$_[0]0002"))) },
	sub { spew(path(first($_[0])), envelope(first($_[0]), odd => 1)) },
	sub { spew(path(first($_[0])) . '~', 'x') },
	sub { symlink('/etc/passwd', path("$_[0]0003")) },
	sub { chmod(0, path($_[0])) },
	sub { chmod(0666, path(first($_[0]))) },
	sub { link(path($_[0]), "$dir/link" . rand()) },
	sub { spew(path(first($_[0])), envelope(first($_[0]),
	    recipient => "r1.$_[0]\@example.net",
	    destination => "r1.$_[0]\@example.net",
	    arrived => '2091-01-05T13:21:09Z',
	    expires => '2091-01-09T13:21:09Z')) },
	sub { },
);

sub sum {
	my @all;
	find({ no_chdir => 1, wanted => sub {
		push(@all, join(' ', $_, (lstat($_))[1, 2, 4, 7, 9]))
		    unless m,/LOCK$,;
	} }, $spool);
	return join("\n", sort @all);
}

for my $round (1 .. $ENV{REPEAT} || 1) {
	$spool = "$dir/spool$round";
	%mail = ();
	mkdir($spool, 0700);
	tree($spool);
	my @ids = map { mail(2) } @faults;
	$faults[$_]->($ids[$_]) for 0 .. $#faults;
	rmdir("$spool/queue/" . sprintf('%02x', $_)) for 0 .. 255;
	mkdir("$spool/queue/00", 0700);
	chown($uid, $gid, $spool) if $> == 0;
	if ($> == 0) {
		find({ no_chdir => 1, wanted => sub {
			chown($uid, $gid, $_)
			    if !-l $_ && (rand() < 0.9 || /VERSION/);
		} }, $spool);
	}

	my $out = qtool('verify');
	is($exit, 1, "round $round: there are problems");
	$out = qtool('repair --yes --adopt');
	is($exit, 0, 'repair mends all') or diag($out);
	$out = qtool('verify');
	is($exit, 0, 'verify is content') or diag($out);
	my $before = sum();
	is(qtool('repair --yes --adopt'), "nothing to mend\n",
	    'a second run finds nothing');
	is(sum(), $before, 'and touches nothing');
	is(scalar(grep { !-e "$_.why" && !/\.why$/ } glob("$spool/corrupt/*")),
	    0, 'all that was set aside has its reason');
	my @bad = grep { !-l $_ && (stat($_))[4] != ($> == 0 ? $uid : $>) }
	    glob("$spool/*/* $spool/queue/*/*");
	is("@bad", '', 'all belong to the queue');

	my $mx = FakeMX->start(far => {});
	my $d = Spoolkit->start(conf => "spool \"$spool\"\n"
	    . "action \"relay-1\" relay via \"smtp://127.0.0.1:"
	    . $mx->port('far') . "\"\naccept from any for any action "
	    . "\"relay-1\"\n");
	my %got;
	my $awaited = sub {
		%got = ();
		$got{$_}++ for map { @{$_->{rcpts}} } $mx->messages;
		return keys %got >= keys %mail;
	};
	# The adopted ones are held.
	$d->wait(sub { (grep { $_->{state} eq 'held' } $d->queue) >= 2 }, 10);
	is(scalar(grep { $_->{state} eq 'held' } $d->queue), 2,
	    'the adopted ones are held');
	$d->ctl(qw(resume envelope all));
	$d->wait($awaited, 20);
	is(join(' ', sort keys %got), join(' ', sort keys %mail),
	    'the daemon delivers what could be saved');
	is(scalar(grep { $_ != 1 } values %got), 0, 'each once');
	is(scalar(grep { ($_->{state} // '') =~ /broken|corrupt/ } $d->queue), 0,
	    'nothing is broken');
	$d->stop;
	$mx->stop;
}
done_testing();
