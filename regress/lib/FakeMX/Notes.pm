package FakeMX::Notes;

# FakeMX::Notes - reads what a FakeMX wrote down: sessions, commands, messages

use strict;
use warnings;

use MIME::Base64 qw(decode_base64);

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
		my $s = { host => $name, n => $n, events => [map {
			[$_->[0], $_->[1], decode_base64($_->[2] // '')]
		} @events] };
		for (grep { $_->[1] eq '=' } @{ $s->{events} }) {
			$s->{$1} = $2 if $_->[2] =~ /^(\w+)=(.*)/s;
		}
		push @all, $s;
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
		for (grep { $_->[1] eq '=' && $_->[2] =~ /^(open|close)$/ }
		    @{ $s->{events} }) {
			push @steps, [$_->[0], $_->[2] eq 'open' ? 1 : -1];
		}
	}
	for (sort { $a->[0] <=> $b->[0] } @steps) {
		$now += $_->[1];
		$peak = $now if $now > $peak;
	}
	return $peak;
}

1;
