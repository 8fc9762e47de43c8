package FakeMX;

# FakeMX - scripted remote hosts, many in one process
#
#   my $mx = FakeMX->start(
#       good => { port => 24101 },
#       grey => { addr => '127.0.0.3', port => 24101,
#           RCPT => ['451 4.7.1 later', '250 ok'] });
#   ...
#   is_deeply [$mx->commands('good')], [...];
#   my ($m) = $mx->messages;       # host session mail rcpts wire data time
#
# A host has an address (127.0.0.1), a port (a free one unless given), and for
# each of connect EHLO HELO MAIL RCPT DATA DOT RSET QUIT what it answers. That
# is a reply without its line end; a hash of
#   reply => TEXT   raw => OCTETS   delay => SECONDS
#   drop => 1       closes afterwards; 'reset' by RST
#   silent => 1     no answer at all
# a sub that gets the session and the line and returns one of these; or a list,
# gone through by this host from session to session, whose last one stays.
# DOT answers the end of the data. Further keys of a host:
#   ehlo => [WORDS]   what it offers: PIPELINING, SIZE and 8BITMIME if not given
#   cut => N          closes after N octets of data
#   most => N         sessions at a time; more get 421
#   slow => N         reads N octets of data a second
#
# Everything is written down: per session a file of events with times and the
# exact octets, in the directory of dir(); messages in the order of their end.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use MIME::Base64 qw(encode_base64 decode_base64);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

my %defaults = (
	connect => '220 fake.example ESMTP',
	HELO => '250 fake.example', MAIL => '250 2.1.0 sender ok',
	RCPT => '250 2.1.5 recipient ok', DATA => '354 go on',
	DOT => '250 2.0.0 taken', RSET => '250 2.0.0 ok', NOOP => '250 ok',
	QUIT => { reply => '221 2.0.0 bye', drop => 1 },
);

sub start {
	my ($class, %hosts) = @_;
	my $self = bless { dir => tempdir('fakemx.XXXXXX', TMPDIR => 1,
		CLEANUP => 1), owner => $$, hosts => \%hosts }, $class;
	my %listeners;

	for my $name (keys %hosts) {
		my $h = $hosts{$name};
		$h->{name} = $name;
		$h->{addr} //= '127.0.0.1';
		my $s = IO::Socket::IP->new(LocalHost => $h->{addr},
			LocalPort => $h->{port} // 0, Listen => 128,
			ReuseAddr => 1, V6Only => 1)
		    or die "$name: $h->{addr} port $h->{port}: $@\n";
		$h->{port} = $s->sockport;
		$s->blocking(0);
		$listeners{ fileno $s } = [$s, $h];
	}
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		$SIG{PIPE} = 'IGNORE';
		$SIG{TERM} = $SIG{INT} = 'DEFAULT';
		eval { serve($self, \%listeners); 1 } or warn $@;
		POSIX::_exit(1);
	}
	$self->{pid} = $pid;
	return $self;
}

sub stop {
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	kill 'KILL', $pid;
	waitpid $pid, 0;
}

sub DESTROY {
	my ($self) = @_;
	return if $$ != $self->{owner};
	local ($?, $!);
	$self->stop;
}

sub dir { $_[0]{dir} }
sub port { $_[0]{hosts}{ $_[1] }{port} }

# What was written down, read again at each call.

sub lines {
	my ($path) = @_;
	open my $f, '<', $path or return;
	my @l = <$f>;
	# One that is being written does not count yet.
	pop @l if @l && $l[-1] !~ /\n\z/;
	chomp @l;
	return @l;
}

# Sessions in the order they began: { host, n, events => [[time, who, octets]] };
# who is C, S, or '=' for "open" and "close".
sub sessions {
	my ($self, $host) = @_;
	my @all;

	for my $path (glob "$self->{dir}/session.*") {
		my ($n) = $path =~ /\.(\d+)$/;
		my @events = map { [split / /] } lines($path);
		next unless @events;
		my $name = $events[0][3];
		next if defined $host && $name ne $host;
		push @all, { host => $name, n => $n, events => [map {
			[$_->[0], $_->[1], decode_base64($_->[2] // '')]
		} @events] };
	}
	@all = sort { $a->{n} <=> $b->{n} } @all;
	return @all;
}

# All that clients sent, joined.
sub said {
	my ($self, $host) = @_;
	return join '', map { map { $_->[1] eq 'C' ? $_->[2] : () }
	    @{ $_->{events} } } $self->sessions($host);
}

# The commands, without the data.
sub commands {
	my ($self, $host) = @_;
	return map { s/^\d+ //r } grep { /\S/ } lines(
	    "$self->{dir}/commands") unless defined $host;
	return map { s/^\Q$host\E //r } grep { /^\Q$host\E / }
	    map { s/^\d+ //r } lines("$self->{dir}/commands");
}

sub messages {
	my ($self, $host) = @_;
	my @all;

	for (lines("$self->{dir}/messages")) {
		my ($time, $name, $session, $mail, $wire, $data, @rcpts) =
		    split / /;
		next if defined $host && $name ne $host;
		push @all, { time => $time, host => $name,
			session => $session, mail => decode_base64($mail),
			wire => decode_base64($wire),
			data => decode_base64($data),
			rcpts => [map { decode_base64($_) } @rcpts] };
	}
	return @all;
}

# The most sessions there were at one time.
sub peak {
	my ($self, $host) = @_;
	my ($now, $peak) = (0, 0);
	my @steps;

	for my $s ($self->sessions($host)) {
		for (grep { $_->[1] eq '=' } @{ $s->{events} }) {
			push @steps, [$_->[0], $_->[2] eq 'open' ? 1 : -1];
		}
	}
	for (sort { $a->[0] <=> $b->[0] } @steps) {
		$now += $_->[1];
		$peak = $now if $now > $peak;
	}
	return $peak;
}

# The child.

my ($dir, %sessions, $select, $count, %live);

sub serve {
	my ($self, $listeners) = @_;
	$dir = $self->{dir};
	$select = IO::Select->new(map { $_->[0] } values %$listeners);
	$count = 0;

	while (1) {
		my $now = time;
		my $until = $now + 3600;
		for my $s (values %sessions) {
			push_out($s, $now);
			next unless $sessions{ $s->{fd} };
			$until = $s->{out}[0]{due}
			    if @{ $s->{out} } && $s->{out}[0]{due} < $until;
			if ($s->{resume}) {
				resume($s, $now);
				$until = $s->{resume} if $s->{resume} &&
				    $s->{resume} < $until;
			}
		}
		my $wait = $until - time;
		for my $fh ($select->can_read($wait > 0 ? $wait : 0)) {
			if (my $l = $listeners->{ fileno $fh }) {
				greet($l->[0]->accept || next, $l->[1]);
			} elsif (my $s = $sessions{ fileno $fh }) {
				take($s);
			}
		}
	}
}

sub note {
	my ($s, $who, $octets, @more) = @_;
	print { $s->{log} } join(' ', sprintf('%.6f', time), $who,
	    encode_base64($octets, ''), @more), "\n";
}

sub append {
	my ($file, $line) = @_;
	open my $f, '>>', "$dir/$file" or die "$file: $!";
	print $f "$line\n";
	close $f;
}

sub greet {
	my ($sock, $h) = @_;
	my $n = ++$count;
	open my $log, '>', sprintf('%s/session.%06d', $dir, $n) or die $!;
	$log->autoflush(1);
	$sock->blocking(0);
	my $s = { sock => $sock, fd => fileno $sock, host => $h, n => $n,
		log => $log, in => '', out => [], rcpts => [], mail => '',
		data => 0 };
	$sessions{ $s->{fd} } = $s;
	$select->add($sock);
	note($s, '=', 'open', $h->{name});
	if (++$live{ $h->{name} } > ($h->{most} // 1e9)) {
		say_it($s, { reply => '421 4.7.0 too many sessions',
			drop => 1 });
		return;
	}
	say_it($s, answer($s, 'connect', ''));
}

sub answer {
	my ($s, $verb, $line) = @_;
	my $h = $s->{host};
	my $what = $h->{$verb};

	if (!defined $what && $verb eq 'EHLO') {
		my @words = @{ $h->{ehlo} //
		    ['PIPELINING', 'SIZE 50000000', '8BITMIME'] };
		my @l = ('fake.example', @words);
		$what = join "\r\n", map {
			'250' . ($_ == $#l ? ' ' : '-') . $l[$_] } 0 .. $#l;
	}
	$what //= $defaults{$verb} // '500 5.5.1 what';
	$what = @$what > 1 ? shift @$what : $what->[0]
	    if ref $what eq 'ARRAY';
	$what = $what->($s, $line) if ref $what eq 'CODE';
	$what = { reply => $what } unless ref $what;
	return $what;
}

# In order; a delay holds back what follows.
sub say_it {
	my ($s, $what) = @_;
	my $due = time + ($what->{delay} // 0);
	my $last = @{ $s->{out} } ? $s->{out}[-1]{due} : 0;

	$due = $last if $due < $last;
	push @{ $s->{out} }, { due => $due,
		octets => $what->{silent} ? '' : $what->{raw} //
		    (defined $what->{reply} ? "$what->{reply}\r\n" : ''),
		drop => $what->{drop} };
	push_out($s, time);
}

sub push_out {
	my ($s, $now) = @_;

	while (@{ $s->{out} } && $s->{out}[0]{due} <= $now) {
		my $o = shift @{ $s->{out} };
		if (length $o->{octets}) {
			note($s, 'S', $o->{octets});
			$s->{sock}->blocking(1);
			syswrite $s->{sock}, $o->{octets};
			$s->{sock}->blocking(0);
		}
		if ($o->{drop}) {
			finish($s, $o->{drop} eq 'reset');
			return;
		}
	}
}

sub finish {
	my ($s, $reset) = @_;

	note($s, '=', 'close');
	setsockopt $s->{sock}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)
	    if $reset;
	$live{ $s->{host}{name} }--;
	$select->remove($s->{sock});
	delete $sessions{ $s->{fd} };
	close $s->{sock};
	close $s->{log};
}

sub take {
	my ($s) = @_;
	my $most = 65536;

	if ($s->{data} && $s->{host}{slow}) {
		$most = int($s->{host}{slow} / 10) || 1;
		$select->remove($s->{sock});
		$s->{resume} = time + 0.1;
	}
	my $octets;
	my $n = sysread $s->{sock}, $octets, $most;
	if (!$n) {
		return if !defined $n && $!{EAGAIN};
		finish($s);
		return;
	}
	note($s, 'C', $octets);
	$s->{in} .= $octets;
	while ($sessions{ $s->{fd} } && ($sessions{ $s->{fd} } == $s)) {
		last unless $s->{data} ? data($s) : command($s);
	}
}

sub resume {
	my ($s, $now) = @_;
	return if $s->{resume} > $now;
	delete $s->{resume};
	$select->add($s->{sock});
}

sub command {
	my ($s) = @_;
	$s->{in} =~ s/^(.*?)\r\n//s or return 0;
	my $line = $1;
	my ($verb) = $line =~ /^(\w+)/;

	$verb = uc($verb // '');
	append('commands', "$s->{n} $s->{host}{name} $line");
	my $what = answer($s, $verb, $line);
	my $code = substr($what->{reply} // $what->{raw} // '', 0, 3);
	if ($verb eq 'MAIL' && $code =~ /^2/) {
		($s->{mail}) = $line =~ /<(.*?)>/;
		$s->{rcpts} = [];
	} elsif ($verb eq 'RCPT' && $code =~ /^2/) {
		push @{ $s->{rcpts} }, $line =~ /<(.*?)>/;
	} elsif ($verb eq 'DATA' && $code eq '354') {
		$s->{data} = 1;
	} elsif ($verb eq 'RSET') {
		$s->{rcpts} = [];
	}
	say_it($s, $what);
	return 1;
}

sub data {
	my ($s) = @_;
	my $cut = $s->{host}{cut};

	if (defined $cut && length $s->{in} >= $cut) {
		finish($s, 1);
		return 0;
	}
	my $end = substr($s->{in}, 0, 3) eq ".\r\n" ? 0
	    : index($s->{in}, "\r\n.\r\n") + 2;
	return 0 if $end == 1;
	my $wire = substr $s->{in}, 0, $end + 3, '';
	my $data = substr $wire, 0, $end;
	$data =~ s/^\.//mg;
	$s->{data} = 0;
	my $what = answer($s, 'DOT', '');
	if (($what->{reply} // $what->{raw} // '') =~ /^2/) {
		append('messages', join ' ', map { $_ eq '' ? '-' : $_ }
		    sprintf('%.6f', time), $s->{host}{name}, $s->{n},
		    map { encode_base64($_, '') } $s->{mail}, $wire, $data,
		    @{ $s->{rcpts} });
	}
	$s->{rcpts} = [];
	say_it($s, $what);
	return 1;
}

1;
