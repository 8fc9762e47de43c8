# How mail leaves by the daemon: TLS when it is offered and what becomes of a
# host where it fails, TLS that is a must, relay URLs of every kind, credentials,
# certificates of ours, LMTP by a unix socket.
use strict;
use warnings;
use Test::More;
use Certs;
use FakeMX;
use Spoolkit;

my $certs = Certs->new;
my $ca = $certs->ca('root');
my $cert = $certs->make('mx', ca => $ca, ip => '127.0.0.1');
my $own = $certs->make('mx', ip => '127.0.0.1');
my $ours = $certs->make('mail.test.example', ca => $ca);
my $two = $certs->make('two.example', ca => $ca);
my $auth = { ann => 'corr3ct' };
my $sock = $certs->dir . '/lmtp.sock';

my %hosts = (
	offers => { tls => $own },
	clear => {},
	garbage => { tls => 'garbage' },
	mustclear => {},
	mustown => { tls => $own },
	must454 => { tls => $cert, STARTTLS => '454 4.7.0 not now' },
	verified => { tls => $cert },
	unverified => { tls => $own },
	notls => { tls => $cert },
	smtp => { tls => $cert }, smtptls => { tls => $cert },
	tls => { tls => $cert }, smtps => { tls => $cert, implicit => 1 },
	lmtp => { lmtp => 1 },
	unix => { lmtp => 1, path => $sock, DOT => ['250 2.0.0 ann has it',
		'452 4.2.2 bob is full', '550 5.1.1 cid is unknown'] },
	auth => { tls => $cert, auth => $auth },
	authlogin => { tls => $cert, auth => $auth, mechs => ['LOGIN'] },
	authsmtps => { tls => $cert, auth => $auth, implicit => 1 },
	authno => { tls => $cert, auth => $auth },
	client => { tls => $cert, client => $ca, need => 1 },
	clienttwo => { tls => $cert, client => $ca, need => 1 },
	clienthelo => { tls => $cert, client => $ca, need => 1 },
	chunks => { ehlo => ['PIPELINING', 'CHUNKING', 'SIZE 50000000'] },
	old12 => { tls => $cert, sslopts => { SSL_version => 'TLSv1_2' } },
);
my $mx = FakeMX->start(%hosts);
my $secrets = $certs->dir . '/secrets';
open my $f, '>', $secrets or die $!;
print $f "good ann:corr3ct\nbad ann:wr0ng\n";
close $f;
chmod 0600, $secrets;
chown +(getpwnam 'nobody')[2, 3], $secrets if $> == 0;

sub at { return "[127.0.0.1]:" . $mx->port($_[0]) }
my $trust = qq{ca "$ca->{cert}"};
# name => the words of its relay, as URL and options
my %relays = (
	(map { $_ => ['smtp', ''] } qw(offers clear garbage smtp chunks old12)),
	mustclear => ['smtp', 'tls'], mustown => ['smtp', 'tls'],
	must454 => ['smtp', 'tls'],
	verified => ['smtp', "tls verify $trust"],
	unverified => ['smtp', "tls verify $trust"],
	notls => ['smtp', 'no-tls'],
	smtptls => ['smtp+tls', ''], tls => ['tls', ''], smtps => ['smtps', ''],
	lmtp => ['lmtp', ''],
	auth => ['smtp+tls+auth', 'auth <secrets>', 'good'],
	authlogin => ['tls+auth', 'auth <secrets>', 'good'],
	authsmtps => ['smtps+auth', 'auth <secrets>', 'good'],
	authno => ['tls+auth', 'auth <secrets>', 'bad'],
	client => ['tls', ''], clienttwo => ['tls', 'pki two.example'],
	clienthelo => ['tls', 'helo two.example'],
);
my $rules = qq{accept from any for domain "unix.example" } .
    qq{relay via "lmtp://$sock"\n};
for (sort keys %relays) {
	my ($scheme, $more, $label) = @{ $relays{$_} };
	$rules .= sprintf qq{accept from any for domain "%s.example" } .
	    qq{relay via "%s://%s%s" %s\n}, $_, $scheme,
	    defined $label ? "$label\@" : '', at($_), $more;
}
my $d = Spoolkit->start(flags => ['-v'], conf => <<"END");
pki mail.test.example certificate "$ours->{chain}"
pki mail.test.example key "$ours->{key}"
pki two.example certificate "$two->{chain}"
pki two.example key "$two->{key}"
table secrets file:$secrets
$rules
END

my ($code, $text) = $d->ctl('trace', '--on', 'mta');
is $code, 0, 'traced into the log' or diag $text;
for (sort keys %relays, 'unix') {
	next if $_ eq 'unix';
	$d->send('ann@here.example', "bob\@$_.example",
	    "Subject: $_\n\n.dot\nhello\n");
}
$d->send('ann@here.example', [map { "$_\@unix.example" } qw(ann bob cid)],
    "Subject: unix\n\nhello\n");

sub arrived {
	my ($host) = @_;
	$d->wait(sub { scalar $mx->messages($host) }, 60);
	my ($m) = $mx->messages($host);
	return unless $m;
	my ($s) = grep { $_->{n} == $m->{session} } $mx->sessions($host);
	return $s;
}
sub deferred {
	my ($host, $why) = @_;
	my $port = $mx->port($host);
	return $d->wait_log(qr/$port.*status="\d{3} [\d.]+ .*$why/, 60);
}

# Opportunistic: over TLS whoever answers; in clear where there is none, or
# where it fails, in the same attempt.
my $s = arrived('offers');
like $s->{tls} // '', qr/^TLSv1_3/, 'offered: taken';
like +($d->logged(qr/event=connected .*:${\ $mx->port('offers')}/))[0] // '',
    qr/tls="TLSv1\.3 \S+ unverified"/, 'the log says so';
$s = arrived('clear');
ok $s && !$s->{tls}, 'not offered: in clear';
$s = arrived('garbage');
ok $s && !$s->{tls}, 'offered, but it fails: in clear';
is scalar(grep { $_ eq 'STARTTLS' } $mx->commands('garbage')), 1,
    'tried once';
ok !$d->logged(qr/event=deferred.*:${\ $mx->port('garbage')}/),
    'in the same attempt';
$d->send('ann@here.example', 'bob@garbage.example', "Subject: 2\n\nhello\n");
ok $d->wait(sub { $mx->messages('garbage') == 2 }, 60), 'and the next one';
is scalar(grep { $_ eq 'STARTTLS' } $mx->commands('garbage')), 1,
    'is not tried by TLS again: that is remembered';
ok scalar(grep { ($_->{tls} // '') =~ /^clear until/ }
    $d->ctl_json('show', 'hosts')), 'and shown';

# A must.
ok deferred('mustclear', 'TLS is required, and STARTTLS is not offered'),
    'must: not offered';
ok deferred('must454', 'STARTTLS fails: 454 4.7.0 not now'), 'must: 454';
ok deferred('unverified', 'TLS: certificate: self-signed'), 'verify: own';
for (qw(mustclear must454 unverified)) {
	is scalar(grep { /^(MAIL|RCPT|DATA)/ } $mx->commands($_)), 0,
	    "$_: never in clear";
}
$s = arrived('mustown');
like $s->{tls} // '', qr/^TLS/, 'must: whoever answers';
$s = arrived('verified');
like $s->{tls} // '', qr/^TLS/, 'verified';
ok $d->logged(qr/event=connected .*:${\ $mx->port('verified')}.*tls="TLS\S+ \S+ verified"/),
    'and logged';
$s = arrived('notls');
ok $s && !$s->{tls}, 'no-tls';

# Every scheme its transport.
my %first = (smtp => 'EHLO STARTTLS EHLO', smtptls => 'EHLO STARTTLS EHLO',
	tls => 'EHLO STARTTLS EHLO', smtps => 'EHLO MAIL', lmtp => 'LHLO MAIL');
for (sort keys %first) {
	$s = arrived($_);
	my $got = join ' ', map { /^(\w+)/ } $mx->commands($_);
	like $got, qr/^$first{$_}/, "$_://";
	is $s->{tls} ? 1 : 0, $_ eq 'lmtp' ? 0 : 1, "$_: TLS or not";
}
like arrived('old12')->{tls} // '', qr/^TLSv1_2/, 'TLS 1.2';
arrived('chunks');
is scalar(grep { /^BDAT \d+ LAST$/ } $mx->commands('chunks')), 1, 'a chunk';

# LMTP by a unix socket, a status for each recipient.
ok $d->wait(sub { $mx->messages('unix') }, 60), 'lmtp by a path';
ok $d->wait_log(qr/event=delivered .*status="250 2.0.0 ann has it"/, 60),
    'one has it';
ok $d->wait_log(qr/event=deferred .*status="452 4.2.2 bob is full"/, 60),
    'one has no room';
ok $d->wait_log(qr/event=failed .*status="550 5.1.1 cid is unknown"/, 60),
    'one is unknown';

# Credentials.
for (qw(auth authlogin authsmtps)) {
	is +(arrived($_) // {})->{auth}, 'ann', $_;
}
ok deferred('authno', 'AUTH PLAIN is refused: 535 5.7.8'), 'refused';
is scalar(grep { /^MAIL/ } $mx->commands('authno')), 0, 'nothing is said';
my $forms = join '|', map { quotemeta } qw(corr3ct wr0ng),
    map { MIME::Base64::encode_base64($_, '') } map { ($_, "\0ann\0$_") }
    qw(corr3ct wr0ng);
ok $d->wait_log(qr/trace=mta .*> \(AUTH LOGIN\)/, 30), 'AUTH is traced';
is scalar(grep { /$forms/ } $d->log), 0, 'the secret is not, nor logged';

# Who we are.
is +(arrived('client') // {})->{client}, 'mail.test.example',
    'the certificate of our name';
is +(arrived('clienttwo') // {})->{client}, 'two.example', 'of a pki';
is +(arrived('clienthelo') // {})->{client}, 'two.example',
    'of the name we say';
is +(grep { /^EHLO/ } $mx->commands('clienthelo'))[0], 'EHLO two.example',
    'which is this';
$d->stop;

# Where the role that connects sees no file at all: whom the system trusts.
for my $root ($> == 0 ? (0, 1) : 0) {
	my $name = $root ? 'as root' : 'unprivileged';
	my $e = Spoolkit->start(as_root => $root,
	    env => { SSL_CERT_FILE => $ca->{cert} }, conf => <<"END");
accept from any for domain "verified.example" \\
    relay via "smtp://${\ at('verified')}" tls verify
accept from any for domain "unverified.example" \\
    relay via "smtp://${\ at('unverified')}" tls verify
END
	my $n = () = $mx->messages('verified');
	$e->send('ann@here.example', "bob\@$_.example", "Subject: $_\n\nx\n")
	    for qw(verified unverified);
	ok $e->wait(sub { $mx->messages('verified') > $n }, 60),
	    "$name: verified by the system's store";
	ok $e->wait_log(qr/TLS: certificate: self-signed/, 60),
	    "$name: and others are not";
	$e->stop("$name: stops");
}
done_testing;
