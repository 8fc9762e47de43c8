#!/usr/bin/perl
# smtpctl against the whole daemon: what it shows is so, what it is told
# happens, and stays across a restart where it should.
use strict;
use warnings;
use Spoolkit;
use Test::More;

my $d = Spoolkit->start(conf => <<'END');
accept from any for domain "example.org" users any \
    deliver to maildir "%DIR%/mail/%{user}"
accept from any for any relay via "smtp://127.0.0.1:9"
END

my $subject = 0;
sub take {
	my ($to) = @_;
	my $n = ++$subject;
	my $reply = $d->send('news@shop.example', $to,
	    "Subject: number $n\r\n\r\nbody $n\r\n");
	$reply =~ /^250 2\.0\.0 ([0-9a-f]{12}) / or die "refused: $reply";
	return $1;
}

sub ctl_ok {
	my ($words, $want) = @_;
	my ($code, $out, $err) = $d->ctl(@$words);
	ok($code == 0 && $err eq '' && $out =~ ($want // qr/^/), "@$words")
	    or diag "$code\n$out$err";
	return $out;
}

sub ctl_fails {
	my ($words, $want, $text) = @_;
	my ($code, $out, $err) = $d->ctl(@$words);
	ok($code == $want && "$out$err" =~ $text, "@$words: $want")
	    or diag "$code\n$out$err";
}

sub state_is {
	my ($msgid, $want, $name) = @_;
	my ($e) = $d->queue($msgid);
	is($e ? $e->{state} : 'gone', $want, $name);
}

sub delivered {
	my ($user, $n) = @_;
	return $d->wait(sub { $d->maildir($user) == $n }, 10);
}

subtest 'what runs' => sub {
	my $out = ctl_ok(['show', 'status'],
	    qr/^mail\.test\.example spoolkit \S+, up \d/);
	my $pids = $d->role_pids;
	for my $role (qw(control smtp lookup dns spooler scheduler mta mda)) {
		like($out, qr/^$role +$pids->{$role} /m, "$role and its pid");
	}
	like($out, qr/^parent +@{[$d->pid]} /m, 'the parent');
	my @roles = $out =~ /^(\w+) +\d+ +\d+\w/mg;
	is(scalar @roles, 9, 'rows');
	is("@roles", join(' ', sort @roles), 'the roles in an order that stays');
	my @names = ctl_ok(['show', 'stats']) =~ /^(\S+)=\d+$/mg;
	is_deeply(\@names, [sort @names], 'counters in order');
	ok((grep { $_ eq 'spooler.received' } @names), 'of all roles');
};

my $held;
subtest 'a pause of all deliveries outlives the daemon' => sub {
	ctl_ok(['pause', 'mda'], qr/^$/);
	$held = take('ann@example.org');
	state_is($held, 'ready', 'taken, not tried');
	$d->restart;
	ok($d->wait(sub { $d->queue }, 10), 'known again');
	like(ctl_ok(['show', 'status']), qr/\bpaused_mda=yes\b/, 'shown');
	is($d->maildir('ann'), 0, 'still not delivered');
};

subtest 'so does a held envelope' => sub {
	my $other = take('bob@example.org');
	ctl_ok(['pause', 'envelope', $held, '--reason', 'CHG-1'], qr/^1 done/);
	state_is($held, 'held', 'held');
	ctl_ok(['resume', 'mda']);
	ok(delivered('bob', 1), 'others are delivered');
	$d->wait(sub { !$d->queue($other) }, 10);
	ctl_ok(['schedule', $held]);
	state_is($held, 'held', 'not for being scheduled');
	$d->restart;
	ok($d->wait(sub { $d->queue }, 10), 'known again');
	state_is($held, 'held', 'held across a restart');
	like(ctl_ok(['show', 'envelope', $held]), qr/^hold: .*CHG-1/m,
	    'with the reason');
	is($d->maildir('ann'), 0, 'not delivered');
};

subtest 'counters of the queue' => sub {
	my %n = ctl_ok(['show', 'stats']) =~ /^spooler\.(\w+)=(\d+)$/mg;
	cmp_ok($n{journal_flushes}, '>', 0, 'flushes');
	my @us = @n{map { "journal_flush_us_$_" } qw(p50 p99 max)};
	# Where nothing is written, a flush may take less than a microsecond.
	my $least = `stat -f -c %T $d->{dir} 2>/dev/null` =~ /tmpfs/ ? 0 : 1;
	ok($us[0] >= $least && $us[0] <= $us[1] && $us[1] <= $us[2],
	    "in order: @us");
	ctl_ok(['show', 'message', $held]);
	my %then = ctl_ok(['show', 'stats']) =~ /^spooler\.(\w+)=(\d+)$/mg;
	my ($was, $is) = map { $_->{reads_from_memory} + $_->{reads_from_files} }
	    \%n, \%then;
	cmp_ok($is, '>', $was, 'a read is counted');
};

subtest 'what is shown of a message' => sub {
	my $out = ctl_ok(['show', 'queue']);
	my ($head, @rows) = split /\n/, $out;
	is($head, 'ENVELOPE' . ' ' x 23 . 'S TRY   AGE  NEXT  SIZE RCPT',
	    'a head');
	is(scalar @rows, 1, 'a line');
	like($rows[0], qr/^${held}0001 +H +0 +\S+ +hold +\S+ ann\@exam/,
	    'for the envelope');
	like(ctl_ok(['show', 'envelope', $held . '0001']),
	    qr/^spool-envelope: 1\nid: ${held}0001\n(?:.*\n)*check: /m,
	    'the envelope');
	like(ctl_ok(['show', 'message', substr $held, 0, 7]),
	    qr/^Received: from .*\r\nSubject: number 1\r\n.*body 1\r\n\z/s,
	    'the message, by a prefix');
	like(ctl_ok(['mailq']), qr/^$held! .*news\@shop\.example$/m, 'mailq');
	ctl_fails(['show', 'message', 'abcdefabcdef'], 66, qr/EX_NOINPUT/);
	ctl_fails(['show', 'envelope', 'abcdefabcdef'], 66, qr/EX_NOINPUT/);
	ctl_fails(['remove', 'abcdefabcdef'], 1, qr/no such/);
	my @objects = $d->ctl_json('show', 'queue');
	is($objects[0]{type}, 'header', 'a header');
	is($objects[-1]{n}, 1, 'one object');
	is($objects[1]{rcpt}, 'ann@example.org', 'of this envelope');
	is($objects[-1]{partial}, JSON::PP::false, 'whole');
};

subtest 'released, it goes' => sub {
	ctl_ok(['resume', 'envelope', $held], qr/^1 done/);
	ok(delivered('ann', 1), 'delivered');
	ok($d->wait(sub { !$d->queue }, 10), 'gone from the queue');
};

subtest 'an edit is discovered' => sub {
	ctl_ok(['pause', 'mda']);
	my $id = take('ann@example.org');
	ctl_ok(['sync']);
	my ($path) = glob("$d->{dir}/spool/queue/*/${id}0001");
	ok(defined $path, 'synced: a file to edit') or return;
	(my $text = Spoolkit::slurp($path)) =~
	    s/^destination: .*/destination: eve\@example.org/m;
	Spoolkit::spew($path, $text);
	ctl_ok(['discover', $id . '0001']);
	ctl_ok(['resume', 'mda']);
	ok(delivered('eve', 1), 'and obeyed');
};

subtest 'removed is removed' => sub {
	ctl_ok(['pause', 'mda']);
	my $id = take('ann@example.org');
	ctl_ok(['remove', $id], qr/^1 done/);
	ctl_ok(['resume', 'mda']);
	state_is($id, 'gone', 'gone');
	ok($d->wait(sub { $d->queue_files == 0 }, 10), 'with its files');
	is($d->maildir('ann'), 1, 'and not delivered');
	is(scalar(grep { /Undelivered|failure/i } $d->maildir('news')), 0,
	    'no bounce');
};

subtest 'all' => sub {
	ctl_ok(['pause', 'mda']);
	take("user$_\@example.org") for 1 .. 20;
	ctl_ok(['pause', 'envelope', 'all'], qr/^20 done/);
	ctl_ok(['resume', 'mda']);
	is((grep { $_->{state} eq 'held' } $d->queue), 20, 'held');
	ctl_ok(['resume', 'envelope', 'all'], qr/^20 done/);
	ok($d->wait(sub { !$d->queue }, 10), 'delivered');
};

subtest 'mail is not taken while smtp is paused' => sub {
	my $paused = sub { ($d->ctl('show', 'status'))[1] =~ /state=paused/ };
	my $taken = sub {
		return $d->send('a@b.example', 'ann@example.org', "x\r\n",
		    timeout => 0.3) =~ /^250/;
	};
	ctl_ok(['pause', 'smtp']);
	ok($d->wait($paused, 5), 'paused');
	ok(!$taken->(), 'refused');
	$d->stop('the daemon stops to be restarted');
	my $entered = () = $d->logged(qr/event=connected/);
	$d->run; # tries to get in from the first moment
	is(scalar(() = $d->logged(qr/event=connected/)), $entered,
	    'nobody got in before the pause was known again');
	ok($d->wait($paused, 5), 'paused after a restart');
	ok(!$taken->(), 'refused');
	ctl_ok(['resume', 'smtp']);
	ok($d->wait($taken, 5), 'and taken again');
};

subtest 'remote hosts' => sub {
	my $id = take('far@example.net');
	ok($d->wait(sub {
		my ($e) = $d->queue($id);
		return $e && $e->{tries} > 0;
	}, 10), 'tried');
	like(ctl_ok(['show', 'hosts']), qr/^\S*127\.0\.0\.1\S* .*refused/m,
	    'the host and what was wrong');
	state_is($id, 'deferred', 'deferred');
	my $before = ($d->queue($id))[0]{tries};
	ctl_ok(['schedule', 'all'], qr/^\d+ done/);
	ok($d->wait(sub {
		my ($e) = $d->queue($id);
		return $e && $e->{tries} > $before;
	}, 10), 'scheduled: tried again at once');
	ctl_ok(['remove', 'all']);
	ok($d->wait(sub { !$d->queue }, 10), 'removed');
};

subtest 'traces' => sub {
	my ($out, $err) = ("$d->{dir}/trace.out", "$d->{dir}/trace.err");
	my $pid = $d->spawn($out, $err, "$d->{bin}/smtpctl", '-s',
	    $d->socket_path, 'trace', 'smtp,mda');
	ok($d->wait(sub { Spoolkit::slurp($err) =~ /^trace: on/ }, 10), 'on');
	my $id = take('ann@example.org');
	ok($d->wait(sub {
		Spoolkit::slurp($out) =~ /<- RCPT TO:<ann\@example\.org>/
	}, 10), 'lines come');
	# By another way than to the one who asked.
	ok($d->wait_log(qr/trace=smtp .*RCPT TO:<ann/, 5), 'and go to the log');
	kill 'INT', $pid;
	waitpid $pid, 0;
	is($?, 0, '^C ends it');
	like(Spoolkit::slurp($err), qr/^\d+ seen, \d+ shown, 0 lost$/m,
	    'with the sum');
	ctl_ok(['show', 'stats']); # all roles have heard of it
	my $lines = $d->logged(qr/trace=/);
	take('bob@example.org');
	ctl_ok(['show', 'stats']); # behind whatever might still come
	is(scalar($d->logged(qr/trace=/)), $lines, 'off again');
	ctl_ok(['trace', '--on', 'smtp'], qr/^$/);
	take('bob@example.org');
	ok($d->wait(sub { $d->logged(qr/trace=/) > $lines }, 10),
	    'switched on for the log');
	ctl_ok(['untrace', 'smtp'], qr/^$/);
	ctl_ok(['show', 'stats']);
	$lines = $d->logged(qr/trace=/);
	take('bob@example.org');
	ctl_ok(['show', 'stats']);
	is(scalar($d->logged(qr/trace=/)), $lines, 'untraced');
};

subtest 'profiles' => sub {
	for my $what ('queue', 'imsg') {
		my ($out, $err) = map { "$d->{dir}/$what.$_" } qw(out err);
		my $pid = $d->spawn($out, $err, "$d->{bin}/smtpctl", '-s',
		    $d->socket_path, 'profile', $what);
		ok($d->wait(sub { Spoolkit::slurp($err) =~ /: on/ }, 10),
		    "profile $what");
		take('ann@example.org');
		ok($d->wait(sub { Spoolkit::slurp($out) =~ /us=\d/ }, 5),
		    'lines come');
		kill 'INT', $pid;
		waitpid $pid, 0;
		like(Spoolkit::slurp($out),
		    qr/^%TIME +TOTAL +CALLS .*\n +\d+\.\d +\S+ +\d+ /m,
		    'and then a table');
	}
};

subtest 'the daemon itself' => sub {
	ctl_ok(['log', 'verbose']);
	ctl_ok(['log', 'brief']);
	ctl_ok(['reload'], qr/^$/);
	ok($d->wait_log(qr/event=reloaded/, 5), 'reloaded');
	my $good = Spoolkit::slurp($d->conf);
	Spoolkit::spew($d->conf, "${good}nonsense\n");
	ctl_fails(['reload'], 78, qr/^smtpctl: EX_CONFIG: .*old/);
	ok($d->wait_log(qr/smtpd\.conf:\d+: .*nonsense/, 5), 'the log names it');
	Spoolkit::spew($d->conf, $good);
	my $id = take('ann@example.org');
	ok($id, 'and serves on with the old one');
	ctl_ok(['stop']);
	ok($d->wait(sub { $d->reaped }, 5), 'stop ends it');
	is($d->{status}, 0, 'cleanly');
	ctl_fails(['show', 'queue'], 69, qr/EX_UNAVAILABLE: .*is smtpd running/);
};

done_testing();
