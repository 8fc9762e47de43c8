package Spoolkit::Client;

# Spoolkit::Client - an SMTP client for tests, which may misbehave
#
# reply() reads a whole reply, of one line or more; raw() sends any octets.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

sub connect {
	my ($class, $port, $timeout) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $port, Proto => 'tcp', Timeout => $timeout)
	    or return;

	binmode $s;
	$s->autoflush(1);
	return bless { sock => $s, in => '', timeout => $timeout // 30 },
	    $class;
}

sub sock { $_[0]{sock} }

# More octets into {in}; false at the end, or when the time is over.
sub fill {
	my ($self, $until) = @_;
	my $left = $until - time;

	return 0 if $left <= 0;
	return 0 unless IO::Select->new($self->{sock})->can_read($left);
	return sysread($self->{sock}, $self->{in}, 65536, length $self->{in});
}

# One line without its line end; undef when none comes.
sub line {
	my ($self, $timeout) = @_;
	my $until = time + ($timeout // $self->{timeout});

	while ($self->{in} !~ /\n/) {
		return unless $self->fill($until);
	}
	$self->{in} =~ s/^(.*?)\r?\n//s;
	return $1;
}

# (code, text): text has all lines, joined by LF; (0, '') when none comes.
sub reply {
	my ($self, $timeout) = @_;
	my @lines;

	for (;;) {
		my $l = $self->line($timeout);
		return (0, join "\n", @lines) unless defined $l;
		push @lines, $l;
		last unless $l =~ /^\d{3}-/;
	}
	my ($code) = $lines[-1] =~ /^(\d{3})/;
	return ($code // 0, join "\n", @lines);
}

sub raw {
	my ($self, $octets) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $at = 0;

	while ($at < length $octets) {
		my $n = syswrite($self->{sock}, $octets, 65536, $at);
		return 0 unless defined $n;
		$at += $n;
	}
	return 1;
}

sub command {
	my ($self, $line) = @_;
	$self->raw("$line\r\n") or return (0, '');
	return $self->reply;
}

# Data as it travels: CRLF, dots stuffed, the final dot.
sub stuffed {
	my ($data) = @_;

	$data =~ s/\r?\n/\r\n/g;
	$data .= "\r\n" unless $data =~ /\r\n\z/ || $data eq '';
	$data =~ s/^\./../mg;
	return "$data.\r\n";
}

# A whole transaction after EHLO. Goes on while one recipient was taken.
# Returns the reply that decided, (code, text); replies to RCPT in order are
# kept in {rcpt}.
sub message {
	my ($self, $from, $to, $data) = @_;
	my ($code, $text) = $self->command("MAIL FROM:<$from>");
	my $taken = 0;

	return ($code, $text) if $code != 250;
	$self->{rcpt} = [];
	for my $rcpt (@$to) {
		($code, $text) = $self->command("RCPT TO:<$rcpt>");
		return ($code, $text) unless $code;
		push @{$self->{rcpt}}, $text;
		$taken++ if $code =~ /^25/;
	}
	return ($code, $text) unless $taken;
	($code, $text) = $self->command('DATA');
	return ($code, $text) if $code != 354;
	$self->raw(stuffed($data)) or return (0, '');
	return $self->reply;
}

# True when the other end has closed, all it said being read before.
sub closed {
	my ($self, $timeout) = @_;
	my $until = time + ($timeout // 60);

	while (my $n = $self->fill($until)) {
	}
	return time < $until ? 1 : 0;
}

sub close {
	my ($self) = @_;
	close $self->{sock} if $self->{sock};
	$self->{sock} = undef;
}

1;
