package Connsend;

# Connsend - one session of the mta with one host, by regress/spool/connsend
#
#   my $c = Connsend->new($mx);         # a FakeMX
#   my $r = $c->send('good', relay => 'tls verify', to => ['a@y'],
#       body => "Subject: x\n\nhello\n", opt => ['-n', 'mx.example.org']);
#   $r->{out}                           # what it printed, see connsend.c
#   $r->{err}                           # its log
#
# relay are the words of the relay action, %HOST% is the host's [address]:port;
# head goes before them in the configuration: pki, tables.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);

sub new {
	my ($class, $mx) = @_;
	my $dir = tempdir('connsend.XXXXXX', TMPDIR => 1, CLEANUP => 1);
	return bless { mx => $mx, dir => $dir, n => 0,
		bin => abs_path($ENV{BUILD} || 'build') . '/spool/connsend' },
	    $class;
}

sub spew {
	my ($self, $name, $text) = @_;
	my $path = "$self->{dir}/$name";

	open my $f, '>:raw', $path or die "$path: $!\n";
	print $f $text;
	close $f;
	chmod 0600, $path;
	return $path;
}

sub slurp {
	my ($path) = @_;
	open my $f, '<:raw', $path or return '';
	local $/;
	return scalar(<$f>) // '';
}

sub send {
	my ($self, $host, %o) = @_;
	my $n = ++$self->{n};
	my $h = $self->{mx}{hosts}{$host};
	my $relay = $o{relay} // '';
	my $body = $o{body} // "Subject: x\n\n.dot\nhello\n";
	my ($out, $err) = map { "$self->{dir}/$n.$_" } qw(out err);
	my @where = defined $h->{path} ? ('-u', $h->{path})
	    : ('-p', $h->{port}, '-a', ref $h->{addr} ? $h->{addr}[0]
		: $h->{addr});

	$relay =~ s/%HOST%/[$h->{addr}]:$h->{port}/g if !defined $h->{path};
	$body =~ s/\r?\n/\r\n/g unless $o{raw};
	my @words = ($self->{bin}, @where, @{ $o{opt} // [] },
		$self->spew('conf', "listen on 127.0.0.1 port 12525\n" .
		    ($o{head} // '') .
		    "accept from any for any relay $relay\n"),
		$self->spew('body', $body), $o{from} // 'ann@here.example',
		@{ $o{to} // ['bob@there.example'] });
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $out;
		open STDERR, '>', $err;
		$ENV{ASAN_OPTIONS} = 'detect_leaks=1';
		$ENV{$_} = $o{env}{$_} for keys %{ $o{env} // {} };
		exec @words or POSIX::_exit(127);
	}
	local $SIG{ALRM} = sub { kill 'KILL', $pid };
	alarm($o{limit} // 120);
	waitpid $pid, 0;
	alarm 0;
	return { status => $?, out => slurp($out), err => slurp($err) };
}

1;
