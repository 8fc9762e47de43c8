#!/usr/bin/perl
# The daemon's life: start, reload, death of a role or of all, stop.
use strict;
use warnings;

use Test::More;

use Spoolkit;

my @ROLES = qw(control dns lookup mda mta scheduler smtp spooler);
my $rule = 'accept from any for domain "%s" users any ' .
    'deliver to maildir "%%DIR%%/mail/%%{user}"' . "\n";
my $conf = sprintf($rule, 'example.org');
my $d = Spoolkit->start(conf => $conf);
my $sent = 0;

sub send_one {
	my ($domain) = @_;
	my $reply = $d->send('news@shop.example', "ann\@$domain",
		"Subject: number $sent\n\nhello\n");
	my $ok = $reply =~ /^250 /;

	$sent++ if $ok;
	return $ok;
}

sub delivered {
	return map { /^Subject: (number \d+)/m ? $1 : 'none' }
	    $d->maildir('ann');
}

# All of them, in the state after a start.
sub complete {
	return join(' ', sort keys %{$d->role_pids}) eq "@ROLES";
}

ok complete(), 'every role is a process';
if ($> == 0) {
	my $users = join ' ', map { `ps -o user= -p $_` =~ s/\s//gr }
	    values %{$d->role_pids};
	unlike $users, qr/root/, 'none of them is root';
}
ok send_one('example.org'), 'mail is taken';
ok $d->wait(sub { delivered() == 1 }, 10), 'and delivered';

# Reload.
ok !send_one('example.net'), 'a domain that is not configured is refused';
my $pids = $d->role_pids;
$d->set_conf($conf . sprintf($rule, 'example.net'));
kill 'HUP', $d->pid;
ok $d->wait_log(qr/event=reloaded/, 10), 'SIGHUP: a new configuration';
ok $d->wait(sub { send_one('example.net') }, 5), 'which is in force';
$d->set_conf("$conf\naccept from nowhere for any relay\n");
kill 'HUP', $d->pid;
ok $d->wait_log(qr/event=reload-refused/, 10),
    'SIGHUP: one with errors is refused';
ok $d->logged(qr/smtpd\.conf:\d+: /), 'the log names file and line';
ok send_one('example.net'), 'the old one stays in force';
is_deeply $d->role_pids, $pids, 'nothing was started anew';
$d->set_conf($conf);

# A second daemon keeps off.
my $second = "$d->{dir}/second.conf";
my $other = Spoolkit::free_port();
my $text = Spoolkit::slurp($d->conf) =~ s/port \d+/port $other/r;
$text =~ s/sock"/sock2"/;
Spoolkit::spew($second, $text);
my $pid = $d->spawn("$d->{dir}/second.log", "$d->{dir}/second.log",
	"$d->{bin}/smtpd", '-d', '-f', $second);
my $status;
ok $d->wait(sub { waitpid($pid, 1) == $pid && defined($status = $?) }, 10),
    'a second daemon on the spool ends';
is $status, 1 << 8, 'with status 1';
my $owner = $d->role_pids->{spooler};
like Spoolkit::slurp("$d->{dir}/second.log"), qr/\b$owner\b/,
    "and names the owner's process";
ok send_one('example.org'), 'the first one does not mind';

# Deaths. Nothing is delivered meanwhile, so that each copy can be counted.
$d->wait(sub { delivered() == $sent }, 10);
my ($exit) = $d->ctl(qw(pause mda));
is $exit, 0, 'local delivery is paused';
my $deaths = 0;
for my $role (@ROLES) {
	# The parent waits ever longer between deaths; a new one does not.
	$d->restart if $deaths++ % 3 == 2;
	my $ready = () = $d->logged(qr/event=ready/);
	my $before = $d->role_pids->{$role};

	ok send_one('example.org'), "mail is taken before $role dies";
	$d->kill9($role);
	ok $d->wait_log(qr/event=ready/, 20, $ready + 1),
	    "the set is started again when $role dies";
	ok complete() && $d->role_pids->{$role} != $before,
	    'and is complete';
}
ok send_one('example.org'), 'mail is taken after all that';
$d->kill9;
ok !$d->pid, 'everything is killed at once';
$d->run;
ok complete(), 'and started once more';
ok $d->wait(sub { $d->queue == @ROLES + 1 }, 10),
    'the queue has all that was acknowledged';
is scalar(delivered()), $sent - @ROLES - 1, 'the pause outlived all of it';
($exit) = $d->ctl(qw(resume mda));
is $exit, 0, 'local delivery goes on';
ok $d->wait(sub { delivered() == $sent }, 20), 'all is delivered';
is_deeply [sort(delivered())], [sort map { "number $_" } 0 .. $sent - 1],
    'each message once';
ok $d->wait(sub { $d->queue == 0 && $d->queue_files == 0 }, 10),
    'nothing is left in the queue';

cmp_ok $d->stop, '<', 5, 'SIGTERM ends it in less than five seconds';
ok !-e $d->socket_path, 'the control socket is gone';
done_testing;
