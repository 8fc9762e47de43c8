# A daemon under load, and its books: floods go in, a sink takes what comes
# out, and every recipient's fate is known on both sides.
#
#   my $r = Loadrig->start(env => ..., conf => "queue journal 4M\n");
#   my $run = $r->flood('a', '--messages', 100);
#   $r->sink_up;
#   $r->flooded($run);
#   ok $r->wait_whole(20), 'all that was acknowledged arrives';
#   $r->balanced;                   # a test: each once, nothing invented
package Loadrig;

use strict;
use warnings;

use POSIX qw(WNOHANG);
use Test::More ();

use Spoolkit;

my %children;
END { local $?; kill 'KILL', keys %children if %children }

sub start {
	my ($class, %o) = @_;
	my $port = Spoolkit::free_port();
	my $self = bless { port => $port, acked => {}, shift => 0,
		bench => Spoolkit::build_dir() . '/bench',
		duplicates => 0 }, $class;

	$self->{d} = Spoolkit->start(%o,
		vars => { SINK => $port, %{$o{vars} || {}} },
		conf => ($o{conf} // '') .
		    'accept from any for domain "relay.test" ' .
		    qq(relay via "smtp://127.0.0.1:%SINK%"\n));
	return $self;
}

sub d { $_[0]{d} }

sub child {
	my ($out, @command) = @_;
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', $out);
		open(STDERR, '>&', \*STDOUT);
		{ no warnings; exec @command; }
		POSIX::_exit(127);
	}
	$children{$pid} = 1;
	return $pid;
}

sub file { "$_[0]{d}{dir}/$_[1]" }

# Starts a flood; its recipients are NAMEn@relay.test.
sub flood {
	my ($self, $name, @more) = @_;

	return { name => $name, pid => child($self->file("flood-$name"),
		"$self->{bench}/flood", '--port', $self->d->port,
		'--run', $name, '--acks', $self->file("acks-$name"),
		'--size', '2K', '--to', "$name%u\@relay.test", '--json',
		@more) };
}

sub running {
	my ($self, $run) = @_;
	return 0 unless $children{$run->{pid}};
	return 1 if waitpid($run->{pid}, WNOHANG) != $run->{pid};
	delete $children{$run->{pid}};
	return 0;
}

# Waits for its end and enters what was acknowledged. Returns how many
# recipients were, and how many were not.
sub flooded {
	my ($self, $run, $limit) = @_;
	my ($good, $bad) = (0, 0);

	$self->d->wait(sub { !$self->running($run) }, $limit // 60)
	    or Test::More::diag("flood $run->{name} does not end");
	for (split /\n/, Spoolkit::slurp($self->file("acks-$run->{name}"))) {
		my ($word, undef, $rcpt) = split;
		if ($word eq 'ack') {
			$self->{acked}{$rcpt} = 1;
			$good++;
		} else {
			$bad++;
		}
	}
	return ($good, $bad);
}

sub flood_text { Spoolkit::slurp($_[0]->file("flood-$_[1]{name}")) }

sub sink_up {
	my ($self, @more) = @_;

	$self->{sink} = child($self->file('sink-out'), "$self->{bench}/sink",
		'--port', $self->{port}, '--ids', $self->file('ids'), @more);
	$self->d->wait(sub {
		Spoolkit::Client->connect($self->{port}, 2) ? 1 : 0
	}, 10) or die "no sink\n";
}

sub sink_pid { $_[0]{sink} }

# { recipient => times } of what the sink has taken.
sub arrived {
	my ($self) = @_;
	my %n;

	$n{(split)[1]}++ for split /\n/, Spoolkit::slurp($self->file('ids'));
	return \%n;
}

sub missing {
	my ($self, $but) = @_;
	my $n = $self->arrived;

	return grep { !$n->{$_} && !($but && $but->{$_}) }
	    sort keys %{$self->{acked}};
}

# Whatever has a time of its own comes to it.
sub later {
	my ($self) = @_;

	$self->d->clock($self->{shift} += 4000);
	$self->d->ctl(qw(schedule all));
}

# Until all that was acknowledged has arrived, but for those given.
sub wait_whole {
	my ($self, $limit, $but) = @_;
	my $turn = 0;

	return $self->d->wait(sub {
		return 1 unless $self->missing($but);
		$self->later if $turn++ % 25 == 24;
		return 0;
	}, $limit // 20);
}

# A test: nothing lost, twice or invented.
sub balanced {
	my ($self, $name, $but) = @_;
	my $n = $self->arrived;
	my @lost = $self->missing($but);
	my @twice = grep { $n->{$_} > 1 } keys %$n;
	my @alien = grep { !$self->{acked}{$_} } keys %$n;

	return Test::More::ok(!@lost && !@twice && !@alien,
		$name // 'nothing is lost, sent twice or invented') ||
	    Test::More::diag(sprintf('lost %d (%s) twice %d (%s) invented %d '
		. '(%s)', scalar @lost, "@lost[0 .. ($#lost > 2 ? 2 : $#lost)]",
		scalar @twice, $twice[0] // '', scalar @alien,
		$alien[0] // ''));
}

# The alarm of show status; '' when there is none.
sub alarm {
	my ($self) = @_;
	my ($row) = grep { ($_->{role} // '') eq 'spooler' }
	    $self->d->ctl_json(qw(show status));

	return $row ? $row->{alarm} // '' : 'no answer';
}

sub wait_alarm {
	my ($self, $re, $limit) = @_;
	my $alarm = '';

	return 1 if $self->d->wait(sub { ($alarm = $self->alarm) =~ $re },
		$limit // 15);
	Test::More::diag("alarm: $alarm");
	return 0;
}

# What the spooler has complained of since line n of the log.
sub complaints {
	my ($self, $from) = @_;
	my @log = $self->d->log;

	return grep { / spooler\[/ && /event=\S*(?:failed|again|unavailable|
		|available|anomaly|edited|damaged|gone|rebuilt) /x &&
		!/event=again / } @log[$from // 0 .. $#log];
}

# The processes as they are; the same text later: none was replaced.
sub processes {
	my ($self) = @_;
	my $pids = $self->d->role_pids;

	return join ' ', $self->d->pid // 'none',
	    map { "$_=$pids->{$_}" } sort keys %$pids;
}

1;
