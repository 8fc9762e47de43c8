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
# A host has an address (127.0.0.1; addr => [several] on one port; ::1 is one;
# path => FILE: a unix socket instead), a port (a free one unless given), and for
# each of connect EHLO HELO LHLO STARTTLS AUTH MAIL RCPT DATA BDAT DOT RSET QUIT
# what it answers. That is a reply without its line end; a hash of
#   reply => TEXT   raw => OCTETS   delay => SECONDS
#   lines => N      that many lines of a reply before it ("250-x")
#   drop => 1       closes afterwards; 'reset' by RST
#   silent => 1     no answer at all
# a sub that gets the session and the line and returns one of these; or a list,
# gone through by this host from session to session, whose last one stays.
# DOT answers the end of the data, BDAT each chunk but the last. Further keys of
# a host:
#   ehlo => [WORDS]   what it offers: PIPELINING, SIZE and 8BITMIME if not
#                     given. BDAT is understood whether CHUNKING is offered
#   cut => N          closes after N octets of data
#   most => N         sessions at a time; more get 421
#   slow => N         reads N octets of data a second
#   tarpit => SEC     before each reply
#   grey => SEC       greylists: 451 until a tuple of client, sender and
#                     recipient is that old; grey_once => 1: who has got through
#                     once is never greylisted again. clock => FILE: its time
#                     is shifted as the daemon's is by SMTPD_TEST_CLOCK
#   lmtp => 1         LHLO, and a reply for each recipient after the data: DOT
#                     is asked for each, with the recipient as its line
#   tls => CERT       offers STARTTLS with a certificate of Certs.pm (its chain),
#                     or { cert => FILE, key => FILE }; or a word, for a host
#                     that says 220 and then "garbage", "close" or "silent".
#                     starttls => 0: understood, but not offered
#   implicit => 1     TLS from the first octet
#   client => CA      asks for a certificate of that authority (of Certs.pm);
#                     need => 1: there is no session without one
#   sslopts => {}     more for IO::Socket::SSL: SSL_version, SSL_cipher_list
#   auth => { USER => PASSWORD }   offers AUTH and insists on it; mechs =>
#                     ['LOGIN'] alone, say. AUTH: the last answer, for 235 or 535
#
# Everything is written down: per session a file of events with times and the
# exact octets, in the directory of dir(); messages in the order of their end. A
# session knows addr and peer, its own address and the client's; tls ("TLSv1_3
# CIPHER"), sni, client (the CN of its certificate), auth (who it is), and
# tls_failed, once there is such a thing.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64 decode_base64);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use FakeMX::Notes;

our @ISA = ('FakeMX::Notes');

my %defaults = (
	connect => '220 fake.example ESMTP', STARTTLS => '220 2.0.0 go',
	HELO => '250 fake.example', MAIL => '250 2.1.0 sender ok',
	RCPT => '250 2.1.5 recipient ok', DATA => '354 go on',
	DOT => '250 2.0.0 taken', BDAT => '250 2.0.0 more', RSET => '250 2.0.0 ok', NOOP => '250 ok',
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
		for my $s (listeners($h)) {
			$s->blocking(0);
			$listeners{ fileno $s } = [$s, $h];
		}
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

sub listeners {
	my ($h) = @_;
	my @all;

	if (defined $h->{path}) {
		my $s = IO::Socket::UNIX->new(Local => $h->{path},
			Listen => 128) or die "$h->{path}: $!\n";
		chmod 0777, $h->{path};
		return $s;
	}
	for my $addr (ref $h->{addr} ? @{ $h->{addr} } : $h->{addr}) {
		my $s = IO::Socket::IP->new(LocalHost => $addr,
			LocalPort => $h->{port} // 0, Listen => 128,
			ReuseAddr => 1, V6Only => 1)
		    or die "$h->{name}: $addr port $h->{port}: $@\n";
		$h->{port} = $s->sockport;
		push @all, $s;
	}
	return @all;
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
			my $fd = fileno $fh // next;
			if (my $l = $listeners->{$fd}) {
				greet($l->[0]->accept || next, $l->[1]);
			} elsif (my $s = $sessions{$fd}) {
				readable($s);
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
		data => 0, chunk => '', peer => '' };
	$sessions{ $s->{fd} } = $s;
	$select->add($sock);
	note($s, '=', 'open', $h->{name});
	if (!defined $h->{path}) {
		$s->{peer} = $sock->peerhost // '';
		note($s, '=', 'addr=' . ($sock->sockhost // ''));
		note($s, '=', "peer=$s->{peer}");
	}
	if (++$live{ $h->{name} } > ($h->{most} // 1e9)) {
		say_it($s, { reply => '421 4.7.0 too many sessions',
			drop => 1 });
	} elsif ($h->{implicit}) {
		shake($s);
	} else {
		say_it($s, answer($s, 'connect', ''));
	}
}

# TLS.

sub shake {
	my ($s) = @_;
	my $h = $s->{host};
	my $tls = $h->{tls};

	$s->{in} = '';
	if (!ref $tls) {
		$s->{dumb} = 1;
		say_it($s, { raw => "this is no TLS at all\r\n" })
		    if $tls eq 'garbage';
		finish($s) if $tls eq 'close';
		return;
	}
	require IO::Socket::SSL;
	my %o = (SSL_server => 1, SSL_startHandshake => 0,
		SSL_cert_file => $tls->{chain} // $tls->{cert},
		SSL_key_file => $tls->{key}, SSL_verify_mode => 0,
		%{ $h->{sslopts} // {} });
	if ($h->{client}) {
		$o{SSL_ca_file} = $h->{client}{cert};
		$o{SSL_verify_mode} = 1 | ($h->{need} ? 2 : 0);
	}
	$select->remove($s->{sock});
	my $good = IO::Socket::SSL->start_SSL($s->{sock}, %o);
	$select->add($s->{sock});
	if (!$good) {
		note($s, '=', "tls_failed=$IO::Socket::SSL::SSL_ERROR");
		finish($s);
		return;
	}
	$s->{shaking} = 1;
}

sub go_on_shaking {
	my ($s) = @_;
	my $sock = $s->{sock};

	if (!$sock->accept_SSL) {
		my $why = $IO::Socket::SSL::SSL_ERROR;
		return if $why == IO::Socket::SSL::SSL_WANT_READ() ||
		    $why == IO::Socket::SSL::SSL_WANT_WRITE();
		note($s, '=', "tls_failed=$why");
		finish($s);
		return;
	}
	delete $s->{shaking};
	$s->{tls} = 1;
	note($s, '=', 'tls=' . $sock->get_sslversion . ' ' .
	    $sock->get_cipher);
	my $sni = $sock->get_servername;
	note($s, '=', "sni=$sni") if defined $sni;
	my $cn = $sock->peer_certificate('commonName');
	note($s, '=', "client=$cn") if defined $cn;
	say_it($s, answer($s, 'connect', '')) if $s->{host}{implicit};
}

# What it says.

sub offers {
	my ($s) = @_;
	my $h = $s->{host};
	my @words = @{ $h->{ehlo} //
	    ['PIPELINING', 'SIZE 50000000', '8BITMIME'] };

	push @words, 'STARTTLS' if $h->{tls} && !$s->{tls} &&
	    !$h->{implicit} && ($h->{starttls} // 1);
	push @words, join ' ', 'AUTH', @{ $h->{mechs} // [qw(PLAIN LOGIN)] }
	    if $h->{auth};
	return @words;
}

sub wall {
	my ($h) = @_;
	my $shift = 0;

	if (defined $h->{clock} && open my $f, '<', $h->{clock}) {
		$shift = (<$f> // '') =~ /([+-]?\d+)/ ? $1 + 0 : 0;
	}
	return time + $shift;
}

sub greylisted {
	my ($s, $line) = @_;
	my $h = $s->{host};
	my ($rcpt) = $line =~ /<(.*?)>/;
	my $now = wall($h);
	my $first = $h->{tuples}{"$s->{peer} $s->{mail} $rcpt"} //= $now;

	return 0 if $h->{passed}{ $s->{peer} };
	return 1 if $now < $first + $h->{grey};
	$h->{passed}{ $s->{peer} } = 1 if $h->{grey_once};
	return 0;
}

sub usual_answer {
	my ($s, $verb, $line) = @_;
	my $h = $s->{host};

	if ($verb eq ($h->{lmtp} ? 'LHLO' : 'EHLO')) {
		my @l = ('fake.example', offers($s));
		return join "\r\n", map {
			'250' . ($_ == $#l ? ' ' : '-') . $l[$_] } 0 .. $#l;
	}
	return '451 4.7.1 greylisted, come again' if $verb eq 'RCPT' &&
	    defined $h->{grey} && greylisted($s, $line);
	return '500 5.5.1 what' if $verb eq 'STARTTLS' && !$h->{tls};
	return '530 5.7.0 authenticate' if $verb eq 'MAIL' && $h->{auth} &&
	    !$s->{user};
	return $defaults{$verb} // '500 5.5.1 what';
}

sub answer {
	my ($s, $verb, $line) = @_;
	my $h = $s->{host};
	my $what = $h->{$verb} // usual_answer($s, $verb, $line);

	$what = @$what > 1 ? shift @$what : $what->[0]
	    if ref $what eq 'ARRAY';
	$what = $what->($s, $line) if ref $what eq 'CODE';
	return ref $what ? { %$what } : { reply => $what };
}

sub octets_of {
	my ($what) = @_;
	return '' if $what->{silent};
	return $what->{raw} if defined $what->{raw};
	return '' unless defined $what->{reply};
	my $code = substr $what->{reply}, 0, 3;
	return ("$code-x\r\n" x ($what->{lines} // 0)) . "$what->{reply}\r\n";
}

# In order; a delay holds back what follows.
sub say_it {
	my ($s, $what) = @_;
	my $due = time + ($what->{delay} // $s->{host}{tarpit} // 0);
	my $last = @{ $s->{out} } ? $s->{out}[-1]{due} : 0;

	$due = $last if $due < $last;
	push @{ $s->{out} }, { due => $due, octets => octets_of($what),
		drop => $what->{drop}, then => $what->{then} };
	push_out($s, time);
}

sub push_out {
	my ($s, $now) = @_;

	while (@{ $s->{out} } && $s->{out}[0]{due} <= $now) {
		my $o = shift @{ $s->{out} };
		if (length $o->{octets}) {
			note($s, 'S', length $o->{octets} < 100_000
			    ? $o->{octets} : substr $o->{octets}, 0, 100);
			write_out($s, $o->{octets});
		}
		if ($o->{drop}) {
			finish($s, $o->{drop} eq 'reset');
			return;
		}
		$o->{then}->($s) if $o->{then};
		return unless $sessions{ $s->{fd} };
	}
}

sub write_out {
	my ($s, $octets) = @_;
	my $at = 0;

	$s->{sock}->blocking(1);
	while ($at < length $octets) {
		my $n = syswrite $s->{sock}, $octets, length($octets) - $at,
		    $at;
		last unless $n;
		$at += $n;
	}
	$s->{sock}->blocking(0);
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

# What it hears.

sub alive {
	my ($s) = @_;
	my $now = $sessions{ $s->{fd} };
	return $now && $now == $s;
}

sub readable {
	my ($s) = @_;

	if ($s->{shaking}) {
		go_on_shaking($s);
		# What came with the end of the handshake is not in the socket.
		return unless alive($s) && $s->{tls} && $s->{sock}->pending;
	}
	do {
		take($s);
	} while (alive($s) && $s->{tls} && !$s->{resume} &&
	    $s->{sock}->pending);
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
	return if $s->{dumb};
	$s->{in} .= $octets;
	while (alive($s) && !$s->{shaking} && !$s->{dumb}) {
		last unless defined $s->{left} ? chunk($s)
		    : $s->{data} ? data($s) : command($s);
	}
}

sub resume {
	my ($s, $now) = @_;
	return if $s->{resume} > $now;
	delete $s->{resume};
	$select->add($s->{sock});
	take($s) if $s->{tls} && $s->{sock}->pending;
}

sub command {
	my ($s) = @_;
	$s->{in} =~ s/^(.*?)\r\n//s or return 0;
	my $line = $1;

	if ($s->{asking}) {
		(delete $s->{asking})->($line);
		return 1;
	}
	my ($verb) = $line =~ /^(\w+)/;
	$verb = uc($verb // '');
	append('commands', "$s->{n} $s->{host}{name} $line");
	if ($verb eq 'AUTH' && $s->{host}{auth}) {
		auth($s, $line);
		return 1;
	}
	if ($line =~ /^BDAT (\d+)( LAST)?$/i) {
		@$s{qw(left last)} = ($1, defined $2);
		return 1;
	}
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
		$s->{chunk} = '';
	} elsif ($verb eq 'STARTTLS' && $code eq '220') {
		$what->{then} = \&shake;
	} elsif ($verb eq 'AUTH' && $code eq '334') {
		$s->{asking} = sub { ask_again($s) };
	}
	say_it($s, $what);
	return 1;
}

# A script for AUTH without credentials: it goes on with each line.
sub ask_again {
	my ($s) = @_;
	my $what = answer($s, 'AUTH', '');

	$s->{asking} = sub { ask_again($s) }
	    if octets_of($what) =~ /^334/;
	say_it($s, $what);
}

sub asks {
	my ($s, $text, $then) = @_;
	$s->{asking} = $then;
	say_it($s, { reply => '334 ' . encode_base64($text, '') });
}

sub authenticate {
	my ($s, $user, $password) = @_;
	my $known = $s->{host}{auth}{$user // ''};
	my $what = defined $s->{host}{AUTH} ? answer($s, 'AUTH', '')
	    : { reply => defined $known && $known eq ($password // '')
	    ? '235 2.7.0 welcome' : '535 5.7.8 these are no credentials' };

	if (($what->{reply} // '') =~ /^235/) {
		$s->{user} = $user;
		note($s, '=', "auth=$user");
	}
	say_it($s, $what);
}

sub auth {
	my ($s, $line) = @_;
	my (undef, $mech, $first) = split / /, $line;
	my $plain = sub {
		my (undef, @who) = split /\0/, decode_base64($_[0]), -1;
		authenticate($s, @who);
	};

	$mech = uc($mech // '');
	if (!grep { $_ eq $mech } @{ $s->{host}{mechs} // [qw(PLAIN LOGIN)] }) {
		say_it($s, { reply => '504 5.5.4 unknown mechanism' });
	} elsif ($mech eq 'PLAIN' && defined $first && $first ne '') {
		$plain->($first);
	} elsif ($mech eq 'PLAIN') {
		asks($s, '', $plain);
	} else {
		asks($s, 'Username:', sub {
			my $user = decode_base64($_[0]);
			asks($s, 'Password:', sub {
				authenticate($s, $user, decode_base64($_[0]));
			});
		});
	}
}

# The end of a message: wire as it came, data as it was meant.
sub taken {
	my ($s, $wire, $data) = @_;
	my (@answers, @rcpts);

	if ($s->{host}{lmtp}) {
		for my $rcpt (@{ $s->{rcpts} }) {
			push @answers, answer($s, 'DOT', $rcpt);
			push @rcpts, $rcpt if octets_of($answers[-1]) =~ /^2/;
		}
	} else {
		@answers = answer($s, 'DOT', '');
		@rcpts = @{ $s->{rcpts} } if octets_of($answers[0]) =~ /^2/;
	}
	if (@rcpts) {
		append('messages', join ' ', map { $_ eq '' ? '-' : $_ }
		    sprintf('%.6f', time), $s->{host}{name}, $s->{n},
		    map { encode_base64($_, '') } $s->{mail}, $wire, $data,
		    @rcpts);
	}
	$s->{rcpts} = [];
	for (@answers) {
		last unless alive($s);
		say_it($s, $_);
	}
}

sub chunk {
	my ($s) = @_;
	return 0 if length $s->{in} < $s->{left};
	$s->{chunk} .= substr $s->{in}, 0, $s->{left}, '';
	my ($last, $none) = ($s->{last}, !@{ $s->{rcpts} });

	delete @$s{qw(left last)};
	if ($none) {
		say_it($s, { reply => '503 5.5.1 no recipients' });
	} elsif ($last) {
		my $data = $s->{chunk};
		$s->{chunk} = '';
		taken($s, $data, $data);
	} else {
		my $what = answer($s, 'BDAT', '');
		if (octets_of($what) =~ /^[45]/) {
			$s->{rcpts} = [];
			$s->{chunk} = '';
		}
		say_it($s, $what);
	}
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
	taken($s, $wire, $data);
	return 1;
}

1;
