# The delivery agent by itself: every octet, every way to fail.
use strict;
use warnings;
use Fcntl qw(:flock :mode F_SETLK F_WRLCK SEEK_SET);
use File::Temp qw(tempdir);
use IPC::Open3;
use POSIX ();
use Symbol qw(gensym);
use Test::More;

my $agent = "$ENV{BUILD}/smtpd-agent";
my $dir = tempdir('smtpd-agent.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $plain = $> == 0 ? getpwnam('nobody') : $>;
$ENV{HOME} = '/nonexistent/home';

# Starts the agent; what comes back is its pid, stdin and stderr.
sub start {
	my (@args) = @_;
	my ($in, $err) = (gensym, gensym);
	my $pid = open3($in, '>&STDOUT', $err, $agent, @args);
	binmode $in;
	return ($pid, $in, $err);
}

sub finish {
	my ($pid, $err) = @_;
	my $text = do { local $/; <$err> } // '';
	waitpid $pid, 0;
	return ($? & 127 ? 'signal ' . ($? & 127) : $? >> 8, $text);
}

sub deliver {
	my ($kind, $path, $message, %o) = @_;
	my ($pid, $in, $err) = start($kind, $path, $o{from} // 'a@b.example',
		$o{to} // 'ann@here.example',
		defined $o{size} ? $o{size} : ());
	local $SIG{PIPE} = 'IGNORE';
	print $in $message;
	close $in;
	return finish($pid, $err);
}

sub slurp {
	my ($path) = @_;
	open my $f, '<:raw', $path or return undef;
	local $/;
	return <$f> // '';
}

sub files { return grep { -f } glob "$_[0]/*" }

# What must be in the file: trace fields, then the message with LF.
sub stored {
	my ($message, $from, $to) = @_;
	$message =~ s/\r\n/\n/g;
	return "Return-Path: <$from>\nDelivered-To: $to\n$message";
}

sub message {
	my ($body) = @_;
	return "From: <a\@b.example>\r\nSubject: x\r\n\r\n$body";
}

# A body whose message has exactly this many octets.
sub of_size {
	my ($size) = @_;
	my $m = message('');
	my $line = join('', map { chr(33 + $_ % 90) } 0 .. 76) . "\r\n";
	$m .= $line while length $m < $size;
	$m = substr $m, 0, $size;
	substr($m, -2) = "\r\n" if $size > 60 && substr($m, -1) ne "\n";
	return $m;
}

my %odd = (
	'nothing at all' => '',
	'header without an end' => "Subject: x\r\n",
	'empty body' => message(''),
	'every octet' => message(join('', map { chr } 1 .. 9, 11, 12, 14 .. 255)
		. "\r\n"),
	'octet 0' => message("a\0b\r\n"),
	'lines of dots' => message(".\r\n..\r\n.x\r\n\r\n.\r\n"),
	'a line of 200000' => message('x' x 200000 . "\r\n"),
	'no line end at the end' => message("last"),
	'a bare CR' => message("a\rb\r\r\nc\r\n"),
	'a CR at the end' => message("a\r"),
	'From_ lines' => message("From me\r\n>From me\r\n>>From x\r\nFrom\r\n"
		. " From x\r\nFro\r\nFFrom x\r\n>Fro\r\n>\r\n"),
	'From_ cut off' => message("From"),
	'empty lines' => message("\r\n\r\n\r\n"),
);

# From_ is quoted by one more '>', and an empty line ends the message.
sub stored_mbox {
	my ($message, $from, $to) = @_;
	my $text = stored($message, $from, $to);
	my ($trace, $rest) = $text =~ /\A(.*?\n.*?\n)(.*)\z/s;
	$rest =~ s/^(>*From )/>$1/mg;
	$rest .= "\n" if $rest ne '' && $rest !~ /\n\z/;
	return "$trace$rest\n";
}

subtest 'maildir and mbox hold every octet' => sub {
	for my $name (sort keys %odd) {
		my $md = "$dir/odd/" . $name =~ tr/a-zA-Z0-9/_/cr;
		my ($code, $text) = deliver('maildir', $md, $odd{$name},
			size => length $odd{$name});
		is($code, 0, "maildir, $name: taken") or diag $text;
		my @new = files("$md/new");
		is(@new, 1, "maildir, $name: one file");
		ok(slurp($new[0]) eq stored($odd{$name}, 'a@b.example',
			'ann@here.example'), "maildir, $name: content");
		is(files("$md/tmp"), 0, "maildir, $name: tmp is empty");

		my $mb = "$md.mbox";
		($code, $text) = deliver('mbox', $mb, $odd{$name});
		is($code, 0, "mbox, $name: taken") or diag $text;
		my ($separator, $rest) = slurp($mb) =~ /\A(.*?\n)(.*)\z/s;
		like($separator, qr/^From\x20a\@b\.example\x20(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\x20
			(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\x20
			[ \d]\d\x20\d\d:\d\d:\d\d\x20\d{4}$/x,
			"mbox, $name: separator");
		ok($rest eq stored_mbox($odd{$name}, 'a@b.example',
			'ann@here.example'), "mbox, $name: content");
	}
};

subtest 'sizes around the multiples of the buffer' => sub {
	my ($bad, $n) = (0, 0);
	for my $size (map { my $k = $_; map { $k * 65536 + $_ } -2 .. 2 } 1, 2) {
		for my $kind (qw(maildir mbox)) {
			my $m = of_size($size);
			my $path = "$dir/size-$kind-$size";
			my ($code) = deliver($kind, $path, $m, size => $size);
			my $got = $kind eq 'mbox' ? slurp($path)
				: slurp((files("$path/new"))[0] // '/');
			$got =~ s/\AFrom .*\n// if $kind eq 'mbox';
			my $want = $kind eq 'mbox'
				? stored_mbox($m, 'a@b.example', 'ann@here.example')
				: stored($m, 'a@b.example', 'ann@here.example');
			$n++;
			next if $code == 0 && $got eq $want;
			diag "$kind of $size octets differs, exit $code";
			$bad++;
		}
	}
	is($bad, 0, "$n deliveries are whole");
};

subtest 'pieces may end anywhere' => sub {
	my $m = message("From x\r\n>From y\r\n\r\nend\rof\r\n");
	for my $kind (qw(maildir mbox)) {
		my $path = "$dir/pieces-$kind";
		my ($pid, $in, $err) = start($kind, $path, 'a@b.example',
			'ann@here.example', length $m);
		for my $c (split //, $m) {
			syswrite $in, $c;
			select undef, undef, undef, 0.001;
		}
		close $in;
		my ($code, $text) = finish($pid, $err);
		is($code, 0, "$kind: taken") or diag $text;
		my $got = $kind eq 'mbox' ? slurp($path)
			: slurp((files("$path/new"))[0]);
		$got =~ s/\AFrom .*\n// if $kind eq 'mbox';
		my $want = $kind eq 'mbox'
			? stored_mbox($m, 'a@b.example', 'ann@here.example')
			: stored($m, 'a@b.example', 'ann@here.example');
		is($got, $want, "$kind: content");
	}
};

subtest 'a real mbox reader' => sub {
	my $path = "$dir/reader.mbox";
	deliver('mbox', $path, message("From x\r\n\r\nFrom y\r\n"));
	deliver('mbox', $path, message("no end"), from => '');
	deliver('mbox', $path, message("three\r\n"), from => '"a b"@c.example');
	my $out = qx{python3 -c 'import mailbox, sys
m = mailbox.mbox(sys.argv[1])
for x in m: print(x.get_from().split()[0], x["Return-Path"], x["Subject"])
' $path};
	is($out, "a\@b.example <a\@b.example> x\nMAILER-DAEMON <> x\n"
		. "\"a_b\"\@c.example <\"a b\"\@c.example> x\n",
		'three messages with their senders');
};

subtest 'a message cut short by a crash is closed off' => sub {
	for my $tail ("x", "x\n", "x\n\n", "\n", "\n\n") {
		my $path = "$dir/crash.mbox";
		open my $f, '>', $path or die;
		print $f $tail;
		close $f;
		deliver('mbox', $path, message("y\r\n"));
		like(slurp($path), qr/\A\Q$tail\E\n{0,2}From a/,
			'separator begins a line');
		like(slurp($path), qr/(?:\A|\n)\nFrom a/,
			'separator follows an empty line');
	}
};

subtest 'modes and directories' => sub {
	my $path = "$dir/made/by/us";
	my ($code) = deliver('maildir', $path, message("x\r\n"));
	is($code, 0, 'parents are created');
	for my $d ("$dir/made", "$dir/made/by", $path, "$path/tmp",
		"$path/new", "$path/cur") {
		is(S_IMODE((stat $d)[2]), 0700, "$d is 0700");
	}
	is(S_IMODE((stat((files("$path/new"))[0]))[2]), 0600, 'file is 0600');
	deliver('mbox', "$dir/made/box", message("x\r\n"));
	is(S_IMODE((stat "$dir/made/box")[2]), 0600, 'mbox is 0600');
	ok(!-e "$dir/made/box.lock", 'dot lock is gone');
	deliver('maildir', $path, message("$_\r\n")) for 1 .. 5;
	is(files("$path/new"), 6, 'names are unique');
};

subtest 'mail loops' => sub {
	my @loops = (
		"Delivered-To: ann\@here.example\r\n",
		"delivered-to:ANN\@HERE.example  \r\n",
		"X: y\r\nDelivered-To :\tann\@here.example\r\n",
		"Delivered-To:\r\n ann\@here.example\r\n",
		"Delivered-To: bob\@here.example\r\n"
			. "Delivered-To: ann\@here.example\r\n",
	);
	my @fine = (
		"Delivered-To: annn\@here.example\r\n",
		"Delivered-To: bob\@here.example\r\n",
		"X-Delivered-To: ann\@here.example\r\n",
		"Delivered-Too: ann\@here.example\r\n",
		"Subject: x\r\n Delivered-To: ann\@here.example\r\n",
		"Subject: x\r\n\r\nDelivered-To: ann\@here.example\r\n",
		"Delivered-To: ann\@here.example " . 'x' x 5000 . "\r\n",
	);
	for my $i (0 .. $#loops) {
		for my $kind (qw(maildir mbox)) {
			my $path = "$dir/loop-$kind";
			my $before = $kind eq 'mbox' ? slurp($path) // '' : 0;
			for my $end ("\r\n" . 'x' x 100000 . "\r\n", '') {
				my ($code, $text) = deliver($kind, $path,
					$loops[$i] . $end);
				is($code, 65, "$kind, loop $i: refused");
				like($text, qr/^5\.4\.6 mail loop/, 'says why');
			}
			is(files("$path/new") + files("$path/tmp"), 0, 'no file')
				if $kind eq 'maildir';
			is(slurp($path), $before, 'nothing was added')
				if $kind eq 'mbox';
		}
	}
	for my $i (0 .. $#fine) {
		my ($code, $text) = deliver('maildir', "$dir/fine",
			$fine[$i] . "\r\nx\r\n");
		is($code, 0, "no loop $i: taken") or diag $text;
	}
};

subtest 'what is cut short or stopped leaves nothing' => sub {
	my $m = of_size(100_000);
	for my $kind (qw(maildir mbox)) {
		my $path = "$dir/short-$kind";
		deliver($kind, $path, message("first\r\n"));
		my $before = $kind eq 'mbox' ? slurp($path)
			: join ' ', files("$path/new");
		my $now = sub {
			return slurp($path) if $kind eq 'mbox';
			return join ' ', files("$path/new"), files("$path/tmp");
		};
		my ($code, $text) = deliver($kind, $path, $m,
			size => length($m) + 1);
		is($code, 75, "$kind: too short is temporary");
		like($text, qr/^4\.3\.0 message ended after 100000 of 100001 /,
			'says why');
		is($now->(), $before, "$kind: nothing is left");

		my ($pid, $in, $err) = start($kind, $path, 'a@b', 'c@d',
			length $m);
		syswrite $in, substr $m, 0, 90_000;
		until (($kind eq 'mbox' ? -s $path : -s (files("$path/tmp"))[0]
			// 0) > 60_000) {
			select undef, undef, undef, 0.01;
		}
		kill TERM => $pid;
		($code, $text) = finish($pid, $err);
		is($code, 75, "$kind: SIGTERM is temporary");
		like($text, qr/^4\.3\.0 delivery was stopped$/, 'says why');
		is($now->(), $before, "$kind: nothing is left");
	}
};

subtest 'an mbox that is locked' => sub {
	my $path = "$dir/locked.mbox";
	deliver('mbox', $path, message("first\r\n"));
	my $before = slurp($path);
	my $whole = pack('s s l! l! i', F_WRLCK, SEEK_SET, 0, 0, 0);
	my %take = (
		flock => sub { flock $_[0], LOCK_EX },
		fcntl => sub { fcntl $_[0], F_SETLK, $whole },
		'dot lock' => sub { open my $l, '>', "$path.lock" },
	);
	for my $how (sort keys %take) {
		# In a process of its own: closing any descriptor of a file
		# gives up all fcntl locks a process has on it.
		my $holder = open(my $told, '-|') // die;
		if ($holder == 0) {
			open my $f, '+<', $path;
			syswrite STDOUT, $take{$how}->($f) ? "ok\n" : "no\n";
			sleep 60;
			POSIX::_exit(0);
		}
		is(<$told>, "ok\n", "$how: taken");
		my ($pid, $in, $err) = start('mbox', $path, 'a@b', 'c@d');
		print $in message("second\r\n");
		close $in;
		select undef, undef, undef, 0.3;
		is(slurp($path), $before, "$how: waits");
		kill KILL => $holder;
		waitpid $holder, 0;
		unlink "$path.lock" if $how eq 'dot lock';
		my ($code, $text) = finish($pid, $err);
		is($code, 0, "$how: then delivers") or diag $text;
		cmp_ok(length slurp($path), '>', length $before, 'and appends');
		$before = slurp($path);
		ok(!-e "$path.lock", 'dot lock is gone');
	}
	open my $l, '>', "$path.lock" or die;
	close $l;
	utime time - 1000, time - 1000, "$path.lock";
	is((deliver('mbox', $path, message("third\r\n")))[0], 0,
		'an old dot lock is taken away');
	my @pids = map {
		my ($pid, $in, $err) = start('mbox', $path, 'a@b', 'c@d');
		print $in message("many $_\r\n");
		close $in;
		$pid;
	} 1 .. 8;
	waitpid $_, 0 for @pids;
	is(scalar(() = slurp($path) =~ /^many \d\n\n/mg), 8,
		'eight at once are eight messages');
};

subtest 'places that cannot be' => sub {
	my @said;
	open my $f, '>', "$dir/file" or die;
	close $f;
	symlink "$dir/file", "$dir/link";
	mkdir "$dir/isdir";
	my @cases = (
		[ maildir => "$dir/file/x", 73, qr/^5\.3\.5 / ],
		[ mbox => "$dir/file/x", 73, qr/^5\.3\.5 / ],
		[ maildir => "$dir/file", 73, qr/^5\.3\.5 / ],
		[ mbox => "$dir/link", 73, qr/^5\.3\.5 / ],
		[ mbox => "$dir/isdir", 73, qr/^5\.3\.5 / ],
		[ mbox => "$dir/isdir/", 73, qr/^5\.3\.5 / ],
		[ maildir => "$dir/" . 'x' x 300, 73, qr/^5\.3\.5 / ],
		[ maildir => '/nonexistent/home/Maildir', 75,
			qr/^4\.2\.1 home directory / ],
		[ mbox => '/nonexistent/home/mbox', 75,
			qr/^4\.2\.1 home directory / ],
		[ mbox => '/dev/null', 75, qr/^4\.3\.5 / ],
		[ maildir => '', 64, qr/^5\.3\.5 / ],
		[ other => "$dir/x", 64, qr/^5\.3\.5 / ],
	);
	for my $c (@cases) {
		my ($code, $text) = deliver($c->[0], $c->[1], message("x\r\n"));
		is($code, $c->[2], "$c->[0] '" . substr($c->[1], -20) . "'");
		like($text, $c->[3], 'says why, code first');
		is(scalar(() = $text =~ /\n/g), 1, 'in one line');
	}
	my ($code, $text) = deliver('maildir', "$dir/x", message(''),
		to => "a\nb");
	is($code, 64, 'a line end in an address is refused');
	($code, $text) = deliver('maildir', "$dir/x", message(''),
		from => 'x' x 2000);
	is($code, 64, 'so is an endless one');
};

subtest 'no room' => sub {
	plan skip_all => '/dev/full cannot be a mailbox; needs root for a mount'
		unless $> == 0 && system("mkdir $dir/full && mount -t tmpfs "
		. "-o size=64k,mode=700 tmpfs $dir/full 2>/dev/null") == 0;
	for my $kind (qw(maildir mbox)) {
		my $path = "$dir/full/$kind";
		deliver($kind, $path, message("x\r\n"));
		my $before = $kind eq 'mbox' ? slurp($path)
			: join ' ', files("$path/new");
		my ($code, $text) = deliver($kind, $path, of_size(200_000));
		is($code, 75, "$kind: temporary");
		like($text, qr/^4\.3\.1 /, 'says so');
		is($kind eq 'mbox' ? slurp($path) : join(' ',
			files("$path/new"), files("$path/tmp")), $before,
			"$kind: as it was before");
	}
	system "umount $dir/full";
};

subtest 'not allowed' => sub {
	mkdir "$dir/shut", 0500;
	chmod 0755, $dir;
	for my $kind (qw(maildir mbox)) {
		my ($pid, $in, $err) = (0, gensym, gensym);
		pipe my $out, my $w or die;
		pipe my $r, $in or die;
		if (($pid = fork) == 0) {
			open STDIN, '<&', $r;
			open STDERR, '>&', $w;
			($(, $)) = (65534, 65534) if $> == 0;
			($<, $>) = ($plain, $plain);
			exec $agent, $kind, "$dir/shut/$kind", 'a@b', 'c@d';
			exit 99;
		}
		close $_ for $w, $r, $in;
		my ($code, $text) = finish($pid, $out);
		SKIP: {
			skip 'the program is out of reach for nobody', 2
				if $code == 99;
			is($code, 75, "$kind: temporary");
			like($text, qr/^4\.2\.1 .*ermission denied/, 'says why');
		}
	}
};

done_testing;
