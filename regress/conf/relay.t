# Relays in the configuration: what smtpd -n says of their options and files,
# who gets to see passwords, and what a reload makes of files that changed.
use strict;
use warnings;
use FakeMX;
use File::Temp qw(tempdir);
use Spoolkit;
use Test::More;

my $smtpd = "$ENV{BUILD}/smtpd";
my $dir = tempdir('conf.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $password = 'sesame-open-' . join '', map { int rand 10 } 1 .. 12;

sub put {
	my ($name, $text, $mode) = @_;
	open my $f, '>', "$dir/$name" or die "$dir/$name: $!";
	print $f $text;
	close $f;
	chmod $mode // 0600, "$dir/$name";
}

sub slurp {
	my ($path) = @_;
	open my $f, '<', $path or die "$path: $!";
	local $/;
	return scalar <$f>;
}

sub certificate {
	my ($name) = @_;
	system('openssl req -x509 -newkey ec -pkeyopt '
		. "ec_paramgen_curve:P-256 -nodes -keyout $dir/$name.key "
		. "-out $dir/$name.crt -subj /CN=$name.example -days 2 "
		. '2>/dev/null') == 0 or die 'openssl req failed';
	chmod 0600, "$dir/$name.key";
}

# Exit code and the lines on stderr without the directory.
sub check {
	my ($text, @as) = @_;
	put('smtpd.conf', $text, @as ? 0644 : 0600);
	my $said = `@as $smtpd -n -f $dir/smtpd.conf 2>&1 >/dev/null`;
	my $exit = $? >> 8;
	$said =~ s/\Q$dir\E\///g;
	return ($exit, $said);
}

sub refused {
	my ($name, $text, @want) = @_;
	my ($exit, $said) = check($text);
	is($exit, 1, "$name: exit 1");
	is($said, join('', map { "smtpd.conf:$_\n" } @want), $name);
}

sub fine {
	my ($name, $text) = @_;
	my ($exit, $said) = check($text);
	is($exit, 0, "$name: exit 0");
	is($said, "configuration OK\n", $name);
}

certificate('one');
certificate('two');
put('creds', "me ann:$password\n");
put('open', "me ann:$password\n", 0644);
put('bad', "me $password\n");
put('anchor', '. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D084'
	. "58E880409BBC683457104237C7F8EC8D\n");
put('urls', "smtp://a.example\nsmtps+auth://me\@b.example\n");
put('empty', '');
(my $crlf = slurp("$dir/one.crt")) =~ s/\n/\r\n/g;
put('crlf.crt', $crlf);

my $creds = "table creds file:creds\n";
my $via = 'action a relay via "smtps+auth://me@x.example" auth <creds>';
my $pki = "pki one.example certificate \"one.crt\"\n"
    . "pki one.example key \"one.key\"\n";

fine('all of it', <<"END");
$creds$pki
table urls file:urls
table ours { 192.0.2.1 = a.example }
trust-anchor anchor
$via source <ours> helo <ours> as "\@example.org" tls verify ca crlf.crt \\
    pki one.example protocols "TLSv1.2, TLSv1.3" ciphers "HIGH:!aNULL"
action b relay via <urls> auth <creds>
action c relay backup "mx" tls helo b.example source 192.0.2.1
limit mta for domain "*.example" max-connections-per-host 3 keep-alive 0
mta max-per-host 4
END

# Each wrong use, with its line and its word.
refused('a scheme', "\naction a relay via http://x\n",
	'2: via: "http://x" has an unknown scheme; there are smtp, smtp+tls, '
	. 'tls, smtps, lmtp, and +auth behind those with tls and smtps');
refused('a password in clear', "action a relay via smtp+auth://me\@x\n",
	'1: via: "smtp+auth://...@x" would send a password in clear: use '
	. 'smtp+tls+auth or smtps+auth');
refused('a password in a URL', "action a relay via smtps://u:$password\@x\n",
	'1: via: "smtps://...@x" has a label, but no +auth in its scheme');
refused('no credentials', "action a relay via tls+auth://me\@x\n",
	'1: auth: is missing: the URL has +auth');
refused('no TLS with TLS', "action a relay no-tls via smtps://x\n",
	'1: no-tls: contradicts the URL, which asks for TLS');
refused('tls twice over', "action a relay tls no-tls\n",
	'1: no-tls: tls and no-tls exclude each other');
refused('a source', "action a relay source mx.example\n",
	'1: source: expected an address or a table, not "mx.example"');
refused('a sender', "action a relay as \"a b\"\n",
	'1: as: expected user@domain, user or @domain, not "a b"');
refused('a name', "action a relay helo a..b\n",
	'1: helo: expected a name or a table, not "a..b"');
refused('a table that is not there', "action a relay via <urls>\n",
	'1: there is no table <urls>');
refused('a certificate that is not there', "${pki}action a relay pki on.example\n",
	'3: pki: there is no pki "on.example", did you mean "one.example"?');
refused('backup and via', "action a relay backup via smtp://x\n",
	'1: backup: is about MX, of which via asks none');
refused('an option of relays', "accept for any deliver to mbox source ::1\n",
	'1: source: belongs to relay');
refused('a limit', "limit mta keep-alove 3\n",
	'1: limit: unknown word "keep-alove", did you mean "keep-alive"?');
refused('the value of a limit', "limit mta put-aside soon\n",
	'1: put-aside: expected a duration such as 30s, 5m, 4h or 2d, at most '
	. '7d00h, not "soon"');
refused('half of a pki', "pki x certificate one.crt\n",
	'1: pki: "x" has no key');
refused('passwords as another table',
	"$creds$via\naccept for <creds> relay\n",
	'3: the table <creds> holds passwords, by auth: it cannot have '
	. 'another use');

# What is in the files.
refused('no key', "pki x certificate one.crt key none.key\n",
	'1: key: none.key cannot be read: No such file or directory');
refused('the key of another', "\npki x certificate one.crt key two.key\n",
	'2: key: two.key does not fit the certificate');
refused('a broken key', "pki x certificate one.crt key creds\n",
	'1: key: creds holds no private key in PEM');
refused('a broken certificate', "pki x certificate creds key one.key\n",
	'1: certificate: creds holds no certificate in PEM');
refused('a ca', "action a relay tls verify ca empty\n",
	'1: ca: empty holds no certificate in PEM');
refused('a trust anchor', "trust-anchor creds\n",
	'1: trust-anchor: creds line 1: not a DS or DNSKEY record');
refused('open passwords', "table creds file:open\n$via\n",
	'1: table: open has mode 0644: others than its owner may use it; '
	. '0600 is right');
refused('broken passwords', "table creds file:bad\n$via\n",
	'2: auth: table <creds>: "me" has no USER:PASSWORD');
refused('a label', "$creds" . $via =~ s/me\@/you\@/r . "\n",
	'2: auth: creds has no label "you"');
refused('no hosts', "table urls file:empty\naction a relay via <urls>\n",
	'2: via: urls is an empty table');
refused('URLs that contradict',
	"$creds\ntable urls file:urls\n"
	. "action a relay via <urls> auth <creds> no-tls\n",
	'4: via: table <urls>: no-tls: contradicts the URL, which asks for TLS');
refused('words of TLS', "action a relay protocols TLSv9\n"
	. "action b relay ciphers nonsense\n",
	'1: protocols: TLSv9 is not understood: such as "TLSv1.2, TLSv1.3"',
	'2: ciphers: nonsense holds what OpenSSL does not know');
chmod 0644, "$dir/one.key";
refused('an open key', $pki,
	'1: key: one.key has mode 0644: others than its owner may use it; '
	. '0600 is right');
chmod 0600, "$dir/one.key";

SKIP: {
	skip 'not root', 2 if $> != 0;
	chmod 0755, $dir;
	my $bin = "$dir/smtpd";
	system('cp', $smtpd, $bin) == 0 or die "$bin: $!";
	$smtpd = $bin;
	my ($exit, $said) = check($pki, qw(setpriv --reuid=nobody
		--regid=nogroup --clear-groups));
	is($exit, 0, 'who may not read a key can check the rest: exit 0');
	is($said, "smtpd.conf:1: key: one.key is not checked: you may not read "
		. "it\nconfiguration OK\n", 'and is told so');
}

# A daemon with it.
my $mx = FakeMX->start(first => {}, second => {});
sub url { sprintf "smtp://127.0.0.1:%d\n", $mx->port($_[0]) }
my $conf = <<'END';
table creds file:creds
table urls file:urls
pki mail.test.example certificate "one.crt"
pki mail.test.example key "one.key"
action secret relay via "smtps+auth://me@127.0.0.1:9" auth <creds> \
    tls verify ca one.crt
accept for domain secret.example action secret
accept for any relay via <urls>
END
my $d = Spoolkit->start(conf => $conf, files => {
	creds => "me ann:$password\n", urls => url('first'),
	'one.crt' => $crlf, 'one.key' => slurp("$dir/one.key"),
});
ok($d, 'it starts, whatever ends the lines of a certificate');

sub arrives {
	my ($host, $n, $what) = @_;
	$d->send('a@here.example', 'b@there.example', "Subject: x\n\nx\n");
	ok($d->wait(sub { $mx->messages($host) >= $n }, 60), $what)
	    or diag($d->last_log(20));
}
arrives('first', 1, 'mail goes to the host of the table');

# Whose memory holds it.
sub holds {
	my ($pid, $what) = @_;
	my $found = 0;
	open my $maps, '<', "/proc/$pid/maps" or return;
	open my $mem, '<:raw', "/proc/$pid/mem" or return;
	while (<$maps>) {
		my ($from, $to, $may) = /^([0-9a-f]+)-([0-9a-f]+) (r\S+)/
		    or next;
		next if /\[v(var|syscall|dso)/;
		no warnings 'portable';
		my ($at, $len) = (hex $from, hex($to) - hex $from);
		# The sanitizers' own is terabytes, and holds no octets.
		next if $len > 1 << 30 || !sysseek $mem, $at, 0;
		my $got = sysread($mem, my $text, $len);
		$found++ if $got && index($text, $what) >= 0;
	}
	return $found;
}
SKIP: {
	my $pids = $d->role_pids;
	skip 'no memory to look at', scalar keys %$pids
	    unless defined holds($pids->{mta}, 'x');
	for my $role (sort keys %$pids) {
		my $found = holds($pids->{$role}, $password);
		if ($role =~ /^(mta|parent)$/) {
			cmp_ok($found, '>', 0, "$role knows the password");
		} else {
			is($found, 0, "$role knows no password");
		}
	}
}

# What is in the files now comes with a reload, if it is right.
$d->put_file('urls', url('second'));
my ($exit) = $d->ctl('reload');
is($exit, 0, 'a reload');
arrives('second', 1, 'takes the table as it is now');
is(scalar(() = $mx->messages('first')), 1, 'and the old host gets no more');

$d->put_file('urls', "smtp:/x\n");
$d->put_file('one.key', slurp("$dir/two.key"));
($exit) = $d->ctl('reload');
isnt($exit, 0, 'a wrong one is refused');
ok($d->wait_log(qr/smtpd\.conf:\d+: via: table <urls>: .*is no URL/, 30),
	'with the line of the use');
ok($d->wait_log(qr/smtpd\.conf:\d+: key: \S*one\.key does not fit/, 30),
	'and that of the key');
arrives('second', 2, 'and the old one stays in force');
unlike($d->log, qr/\Q$password\E/, 'no password is in the log');
$d->stop;
done_testing;
