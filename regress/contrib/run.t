#!/usr/bin/perl
# What a newcomer does: contrib/run.sh in a fresh tree brings the daemon up, all
# commands it prints work as they stand, ^C ends it without a word of trouble.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h setsid);
use Spoolkit;
use Test::More;

$ENV{ASAN_OPTIONS} = 'detect_leaks=0'; # roles end with what they have

my $build = abs_path($ENV{BUILD} // 'build');
delete @ENV{qw(BUILD PORT SUDO_USER)}; # a newcomer has none of them

sub slurp {
	my ($path) = @_;

	open(my $in, '<', $path) or return '';
	local $/;
	return scalar <$in>;
}

sub wait_for {
	my ($what, $seconds) = @_;

	for (1 .. 50 * ($seconds // 60)) {
		return 1 if $what->();
		select undef, undef, undef, 0.02;
	}
	return 0;
}

# A tree as make run leaves it before its last line.
sub new_tree {
	my (@owner) = @_;
	my $top = tempdir('run.XXXXXX', TMPDIR => 1, CLEANUP => 1);

	mkdir "$top/$_" for qw(contrib build);
	copy('contrib/run.sh', "$top/contrib/run.sh");
	for (qw(smtpd smtpd-agent smtpctl)) {
		copy("$build/$_", "$top/build/$_");
		chmod 0755, "$top/build/$_";
	}
	chmod 0755, $top, "$top/contrib", "$top/build";
	chown @owner, $top if @owner;
	return $top;
}

sub start {
	my ($top, $port, @as) = @_;
	unlink "$top/log";
	my $pid = fork;

	if (!$pid) {
		chdir $top;
		setsid;
		$ENV{PORT} = $port if defined $port;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$top/log";
		open STDERR, '>&', \*STDOUT;
		exec @as, 'sh', 'contrib/run.sh' or POSIX::_exit(127);
	}
	my $up = wait_for(sub {
		return slurp("$top/log") =~ /event=ready/ ||
		    waitpid($pid, WNOHANG) == $pid;
	});
	ok($up && slurp("$top/log") =~ /event=ready/, 'it is up')
	    or diag slurp("$top/log");
	return $pid;
}

sub printed {
	my ($top) = @_;

	return slurp("$top/log") =~ /^  (\S.*)$/mg;
}

sub interrupt {
	my ($top, $pid) = @_;

	kill INT => -$pid; # as a terminal does: the whole group
	ok(wait_for(sub { waitpid($pid, WNOHANG) == $pid }), 'SIGINT ends it')
	    or kill KILL => -$pid;
	is($?, 0, 'well');
	my @odd = grep { /warn|event=(role-died|breach|stop-slow|peer-gone)/ }
	    split /\n/, slurp("$top/log");
	is("@odd", '', 'without a warning');
	my @loose = grep { !/^\S+Z \w+\[\d+\]: (\w[\w-]*=\S|$)/ }
	    grep { /Z \w+\[\d+\]: / } split /\n/, slurp("$top/log");
	is("@loose", '', 'each line begins with a key and its value');
}

sub newcomer {
	my ($top, @as) = @_;
	my $port = Spoolkit::free_port();
	my $pid = start($top, $port, @as);
	my @commands = printed($top);
	my ($user) = "@commands" =~ m{var/mail/([^/]+)/new};

	is(@commands, 7, 'commands are printed');
	for my $command (@commands) {
		if ($command =~ /^ls/) {
			wait_for(sub { glob("$top/var/mail/$user/new/*") });
		}
		my $out = `cd '$top' && $command 2>&1`;
		is($?, 0, $command) or diag $out;
		like($out, qr/^\S+ +R +0 .* \Q$user\E\@localhost$/m,
		    'it waits') if $command =~ /show queue/;
	}
	ok(wait_for(sub {
		my @mail = glob("$top/var/mail/$user/new/*");
		return @mail == 2;
	}), 'both messages are delivered');
	interrupt($top, $pid);
	return $port;
}

subtest 'by whoever runs the tests' => sub {
	my $top = new_tree();
	my $port = newcomer($top);

	my $pid = start($top, undef);
	like((printed($top))[0], qr/127\.0\.0\.1:$port /, 'the port stays');
	interrupt($top, $pid);

	my $other = Spoolkit::free_port();
	$pid = start($top, $other);
	like((printed($top))[0], qr/127\.0\.0\.1:$other /, 'PORT changes it');
	ok(IO::Socket::INET->new(PeerAddr => "127.0.0.1:$other"), 'indeed');
	interrupt($top, $pid);
};

# Closes the terminal as soon as the daemon is up.
my $closing = <<'END';
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp('sh', ['sh', 'contrib/run.sh'])
seen = b''
try:
    while b'event=loaded' not in seen:
        seen += os.read(fd, 4096)
except OSError:
    sys.exit(seen.decode())
os.close(fd)
os.waitpid(pid, 0)
END

subtest 'in a terminal that is closed' => sub {
	my $top = new_tree();
	my $port = Spoolkit::free_port();

	is(system("cd '$top' && PORT=$port timeout 120 python3 -c \"$closing\""),
	    0, 'the daemon ends');
	ok(!IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"),
	    'and nobody listens any more');
	ok(!-e "$top/var/smtpd.sock", 'nor is there a socket');
};

subtest 'by an ordinary user' => sub {
	plan skip_all => 'needs root' if $> != 0;
	my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
	my $top = new_tree($uid, $gid);

	newcomer($top, 'setpriv', "--reuid=$uid", "--regid=$gid",
	    '--clear-groups');
};

done_testing;
