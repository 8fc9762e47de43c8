# From SMTP into maildirs and mboxes, through the whole daemon.
use strict;
use warnings;
use Fcntl qw(:mode);
use JSON::PP;
use Test::More;
use Spoolkit;

my $d = Spoolkit->start(conf => <<'END');
table aliases { team = "ann@example.org, bob@example.org" }
accept from any for domain "example.org" alias <aliases> users any \
	deliver to maildir "%DIR%/mail/%{user}"
accept from any for domain "tags.example" users any \
	deliver to maildir "%DIR%/mail/tags/%{domain}/%{user}/%{tag}"
accept from any for domain "mbox.example" users any \
	deliver to mbox "%DIR%/mail/%{user}.mbox"
accept from any for domain "broken.example" users any \
	deliver to maildir "%DIR%/log/%{user}"
accept from any for domain "shut.example" users any \
	deliver to maildir "%DIR%/mail/shut/%{user}"
END
my $mail = $d->dir . '/mail';

sub slurp {
	my ($path) = @_;
	open my $f, '<:raw', $path or return undef;
	local $/;
	return <$f> // '';
}

sub mails { return map { slurp($_) } glob "$mail/$_[0]/new/*" }

# Waits for that many in a maildir; their texts.
sub arrived {
	my ($box, $n) = @_;
	$d->wait(sub { mails($box) >= $n }, 20)
		or diag join "\n", $d->last_log(15);
	return mails($box);
}

# Splits what was stored: trace fields of ours, and the message as sent.
sub split_trace {
	my ($text) = @_;
	my ($path, $to, $received, $rest) = $text =~ /\A
		Return-Path:\x20<(.*?)>\n
		Delivered-To:\x20(.*?)\n
		(Received:\x20[^\n]*\n(?:[\x20\t][^\n]*\n)*)(.*)\z/sx;
	return ($path, $to, $rest);
}

# With all that is added to a message handed in without it.
sub header {
	return "From: x\@client.test\nSubject: $_[0]\n"
		. "Date: Sun, 22 Nov 2026 13:21:09 +0000\n"
		. "Message-Id: <1\@client.test>\n\n";
}

# As many octets as that, line ends counted as SMTP has them.
sub sized {
	my ($n) = @_;
	my $m = header('sized');
	my $left = $n - length($m) - ($m =~ tr/\n//);

	for (; $left > 200; $left -= 72) {
		$m .= 'y' x 70 . "\n";
	}
	return $m . 'z' x ($left - 2) . "\n";
}

my %messages = (
	'short' => header('short') . "hello\n",
	'empty body' => header('empty'),
	'dots' => header('dots') . ".\n..\n.x\n\n.\n...\n",
	'from lines' => header('from') . "From me\n>From me\n>>From x\nFrom\n",
	'8 bit' => header('eight') . join('', map { chr } 1 .. 9, 11, 12,
		14 .. 255) . "\n",
	'long lines' => header('long') . ('x' x 990 . "\n") x 50,
	'three megabytes' => header('large') . ('0123456789' x 7 . "\n") x 42000,
	# What the body's pieces are cut at, less about what Received takes.
	map { ("$_ octets" => sized($_)) } 65_200, 65_536, 131_000,
);

subtest 'every octet arrives, once' => sub {
	for my $name (sort keys %messages) {
		my $user = lc($name) =~ tr/a-z0-9//cdr;
		for my $to ("$user\@example.org", "$user\@mbox.example") {
			like($d->send('x@client.test', $to, $messages{$name}),
				qr/^250 /, "$name: taken for $to");
		}
		my ($text, @more) = arrived($user, 1);
		is(@more, 0, "$name: one file");
		my ($path, $rcpt, $rest) = split_trace($text // '');
		is($path, 'x@client.test', "$name: Return-Path");
		is($rcpt, "$user\@example.org", "$name: Delivered-To");
		ok($rest eq $messages{$name}, "$name: maildir, octet for octet");

		my $box = "$mail/$user.mbox";
		ok($d->wait(sub { (slurp($box) // '') =~ /\n\n\z/
			&& $d->logged(qr/event=delivered agent=mbox user=\Q$user\E /)
		}, 20),
			"$name: mbox is there");
		my ($separator, $stored) = slurp($box) =~ /\A(.*?\n)(.*)\z/s;
		like($separator, qr/^From x\@client\.test \w{3} \w{3} /,
			"$name: separator");
		(undef, undef, $rest) = split_trace($stored);
		(my $want = $messages{$name}) =~ s/^(>*From )/>$1/mg;
		ok($rest eq "$want\n", "$name: mbox, octet for octet");
	}
};

subtest 'several recipients' => sub {
	like($d->send('x@client.test', [ 'ann@example.org', 'bob@example.org',
		'ann@mbox.example' ], header('three') . "three\n"), qr/^250 /,
		'taken');
	my ($ann) = arrived('ann', 1);
	my ($bob) = arrived('bob', 1);
	is((split_trace($ann))[1], 'ann@example.org', 'ann has hers');
	is((split_trace($bob))[1], 'bob@example.org', 'bob has his');
	is((split_trace($ann))[2], (split_trace($bob))[2], 'the same text');
	ok($d->wait(sub { -s "$mail/ann.mbox" }, 20), 'and so has the mbox');
	like($d->send('x@client.test', 'team@example.org',
		header('team') . "team\n"), qr/^250 /, 'an alias');
	arrived($_, 2) for qw(ann bob);
	is(mails($_), 2, "$_ has one more") for qw(ann bob);
};

subtest 'names and places' => sub {
	like($d->send('x@client.test', 'Carl+Lists.x@Tags.Example',
		header('tag') . "tag\n"), qr/^250 /, 'taken');
	my ($text) = arrived('tags/tags.example/carl/lists.x', 1);
	ok($text, 'user, tag and domain made the path');
	like($d->send('', 'nobodys@example.org', header('null') . "x\n"),
		qr/^250 /, 'from the null reverse-path');
	is((split_trace((arrived('nobodys', 1))[0]))[0], '', 'Return-Path: <>');
	my ($file) = glob "$mail/nobodys/new/*";
	is(S_IMODE((stat $file)[2]), 0600, 'a file is 0600');
	is(S_IMODE((stat "$mail/nobodys")[2]), 0700, 'a maildir is 0700');
};

my $written = 0;

sub bounces {
	my ($box, $n) = @_;
	return map {
		my $file = $d->dir . '/bounce.' . ++$written;
		s/\A(?:(?:Return-Path|Delivered-To):.*\n)+//;
		open my $f, '>:raw', $file or die;
		print $f s/\n/\r\n/gr;
		close $f;
		decode_json(qx{python3 regress/spool/bounce_read.py <$file});
	} arrived($box, $n);
}

subtest 'what cannot be delivered comes back' => sub {
	like($d->send('dora@example.org', [ 'a@broken.example',
		'b@broken.example' ], header('lost') . "lost\n"), qr/^250 /,
		'taken');
	my ($b, @more) = bounces('dora', 1);
	is(@more, 0, 'one bounce for two recipients');
	is($b->{type}, 'multipart/report', 'a report');
	is_deeply($b->{defects}, [], 'without a defect');
	like($b->{header}{to}, qr/dora\@example\.org/, 'to the sender');
	my @s = @{$b->{status}};
	is(@s, 3, 'with both recipients');
	is_deeply([ sort map { $_->{'final-recipient'} } @s[1, 2] ],
		[ 'rfc822; a@broken.example', 'rfc822; b@broken.example' ],
		'by name');
	is($_->{action}, 'failed', 'failed') for @s[1, 2];
	is($_->{status}, '5.3.5', 'status') for @s[1, 2];
	like($b->{original}, qr/^Subject: lost\r?$/m, 'which message it was');
	like($b->{text}, qr/<a\@broken\.example>/, 'and for people');
	ok($d->logged(qr/evpid=\w{16} event=permfail agent=maildir user=a /),
		'is logged');

	like($d->send('emil@example.org', 'fred@example.org',
		"Delivered-To: fred\@example.org\n" . header('loop') . "x\n"),
		qr/^250 /, 'a loop is taken');
	($b) = bounces('emil', 1);
	is($b->{status}[1]{status}, '5.4.6', 'and ended');
	is(mails('fred'), 0, 'nothing was delivered');

	like($d->send('', 'c@broken.example', header('null') . "x\n"),
		qr/^250 /, 'the null reverse-path');
	ok($d->wait_log(qr/event=permfail agent=maildir user=c /, 20),
		'fails as well');
};

subtest 'names that would leave the directory' => sub {
	for my $to ('../evil@example.org', '"../evil"@example.org',
		'"/etc/evil"@example.org', 'g+../../evil@tags.example') {
		my $reply = $d->send('gina@example.org', $to,
			header('evil') . "x\n");
		like($reply, qr/^(?:250|5\d\d) /, "$to is refused now or later");
		$main::evil++ if $reply =~ /^250/;
	}
	bounces('gina', $main::evil) if $main::evil;
	is((grep { ($_->{status}[1]{status} // '') ne '5.1.1' }
		bounces('gina', $main::evil)), 0, 'with 5.1.1')
		if $main::evil;
	ok(!-e $d->dir . '/evil', 'nothing went there');
	is(qx{find $mail -name '*evil*'}, '', 'nor anywhere');
};

subtest 'what fails for now is tried again' => sub {
	mkdir "$mail/shut";
	chmod 0500, "$mail/shut";
	like($d->send('x@client.test', 'hans@shut.example',
		header('later') . "later\n"), qr/^250 /, 'taken');
	ok($d->wait_log(qr/event=tempfail agent=maildir user=hans /, 20),
		'fails for now');
	my ($line) = $d->logged(qr/event=tempfail agent=maildir user=hans /);
	like($line, qr/status="451 4\.2\.1 /, 'and says why');
	is(mails('shut/hans'), 0, 'nothing is there');
	chown((stat $mail)[4, 5], "$mail/shut") if $> == 0;
	chmod 0700, "$mail/shut";
	$d->clock(20);
	is(arrived('shut/hans', 1), 1, 'arrives later');
	ok($d->wait(sub { !$d->queue_files }, 20), 'the queue is empty')
		or diag join ' ', $d->queue_files;
};

subtest 'kill -9 while it delivers' => sub {
	my $n = 30;
	for my $i (1 .. $n) {
		my $m = header("n$i") . 'x' x 900 . "\n" x 50;
		$d->wait(sub {
			$d->send('x@client.test', 'ines@example.org', $m)
				=~ /^250 /;
		}, 20) or fail("message $i is not taken");
		$d->kill9('mda') if $i == 10 || $i == 20;
	}
	ok($d->wait(sub {
		my %seen;
		$seen{$_}++ for map { /^Subject: (n\d+)$/m } mails('ines');
		return keys %seen == $n;
	}, 30), 'all arrive');
	my @cut = grep { !/x{900}\n{50}\z/ } mails('ines');
	is(@cut, 0, 'each of them whole');
	cmp_ok(scalar(mails('ines')), '<=', 2 * $n, 'hardly any twice');
};

subtest 'many at once' => sub {
	my @to = map { "many$_\@example.org" } 1 .. 100;
	like($d->send('x@client.test', \@to, header('many') . "x\n"),
		qr/^250 /, 'a hundred recipients');
	ok($d->wait(sub { my @f = glob "$mail/many*/new/*"; @f >= 100 }, 30),
		'have it');
	my @all = glob "$mail/many*/new/*";
	is(@all, 100, 'once each');
};

subtest 'another client' => sub {
	my @swaks = (qw(swaks --server 127.0.0.1 --port), $d->port,
		qw(--helo client.test --from x@client.test
		--to karl@example.org --body words), '--header "Subject: swaks"');
	my $out = qx{@swaks </dev/null 2>&1};
	is($?, 0, 'swaks is content') or diag $out;
	like((arrived('karl', 1))[0], qr/^Subject: swaks\n.*^words\n/ms,
		'and its mail arrives');
};

$d->stop;

subtest 'started by root it delivers as the user' => sub {
	plan skip_all => 'needs root and the users of contrib/users.sh'
		unless $> == 0 && defined getpwnam('_smtpq');
	my $r = Spoolkit->start(as_root => 1, conf => <<'END');
accept from any for domain "owned.example" users any \
	deliver to maildir "%DIR%/mail/own/%{user}" owner "nobody"
accept from any for local deliver to maildir "~/Maildir"
END
	my ($uid, $gid) = (getpwnam('nobody'))[2, 3];
	mkdir $r->dir . '/mail/own';
	chown $uid, $gid, $r->dir . '/mail/own';
	like($r->send('x@client.test', 'ann@owned.example',
		header('own') . "x\n"), qr/^250 /, 'taken');
	my @files;
	ok($r->wait(sub { @files = glob $r->dir . '/mail/own/ann/new/*' }, 20),
		'arrives') or diag join "\n", $r->last_log(15);
	is((stat $files[0])[4], $uid, 'the file is the user\'s') if @files;
	is((stat $r->dir . '/mail/own/ann')[4], $uid, 'so is the maildir');
	my $pids = $r->role_pids;
	is((stat "/proc/$pids->{mda}")[4], scalar getpwnam('_smtpd-mda'),
		'the role has its own user') if $pids->{mda};
	$r->stop;
};

done_testing;
