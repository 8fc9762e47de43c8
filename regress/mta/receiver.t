# A receiver that nobody here wrote takes our mail: over STARTTLS with a client
# certificate, and with AUTH LOGIN.
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use JSON::PP ();
use Certs;
use Spoolkit;

my ($python) = grep { system("$_ -c 'import aiosmtpd' 2>/dev/null") == 0 }
    qw(python3 /usr/bin/python3);
plan skip_all => 'python3-aiosmtpd is not there: make deps'
    unless defined $python;

my $certs = Certs->new;
my $ca = $certs->ca('root');
my $server = $certs->make('receiver', ca => $ca, ip => '127.0.0.1');
my $client = $certs->make('mail.test.example', ca => $ca);
my $dir = $certs->dir;

my $pid = open my $out, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh',
    $python, dirname(__FILE__) . '/receiver.py', $server->{chain}, $server->{key}, $ca->{cert} or die "$python: $!\n";
my ($certport, $authport) = split ' ', <$out> // '';
ok $authport, 'the receiver listens' or BAIL_OUT('no receiver');
END {
	kill 'KILL', $pid if $pid;
}
# Its lines come as they are written; the test waits for them by select.
$out->blocking(0);
my ($text, @kept) = ('');
sub kept {
	my ($n) = @_;
	while (sysread $out, $text, 65536, length $text) {
	}
	while ($text =~ s/^(.*)\n//) {
		push @kept, JSON::PP->new->decode($1);
	}
	return @kept >= $n;
}

my $secrets = "$dir/secrets";
open my $f, '>', $secrets or die $!;
print $f "good ann:secret\nbad ann:wrong\n";
close $f;
chmod 0600, $secrets;
chown +(getpwnam 'nobody')[2, 3], $secrets if $> == 0;

my $verify = qq{tls verify ca "$ca->{cert}"};
my $d = Spoolkit->start(conf => <<"END");
pki mail.test.example certificate "$client->{chain}"
pki mail.test.example key "$client->{key}"
pki other.example certificate "$server->{chain}"
pki other.example key "$server->{key}"
table secrets file:$secrets
accept from any for domain "cert.example" \\
    relay via "smtp+tls://[127.0.0.1]:$certport" $verify
accept from any for domain "nocert.example" \\
    relay via "smtp+tls://[127.0.0.1]:$certport" helo "nobody.example"
accept from any for domain "auth.example" \\
    relay via "smtp+tls+auth://good\@[127.0.0.1]:$authport" \\
    auth <secrets> $verify
accept from any for domain "bad.example" \\
    relay via "tls+auth://bad\@[127.0.0.1]:$authport" auth <secrets>
accept from any for domain "noauth.example" \\
    relay via "tls://[127.0.0.1]:$authport"
END

$d->send('ann@here.example', ['bob@cert.example', 'cid@cert.example'],
    "Subject: cert\n\n.dot\nhello\n");
ok $d->wait(sub { kept(1) }, 60), 'mail with a client certificate';
is $kept[0]{client}, 'mail.test.example', 'that of the name we said';
is $kept[0]{helo}, 'mail.test.example', 'which is ours';
like $kept[0]{tls}, qr/^TLSv1\.[23]$/, 'over TLS';
is_deeply $kept[0]{to}, ['bob@cert.example', 'cid@cert.example'], 'whole';
like $kept[0]{text}, qr/\r\n\r\n\.dot\r\nhello\r\n$/, 'octet for octet';
ok $d->wait_log(qr/event=connected .*tls="TLSv1\.\d \S+ verified"/, 30),
    'the log says how';

$d->send('ann@here.example', 'bob@auth.example', "Subject: auth\n\nhello\n");
ok $d->wait(sub { kept(2) }, 60), 'mail with AUTH';
is $kept[1]{auth}, 'ann by LOGIN', 'by LOGIN';
like $kept[1]{tls}, qr/^TLSv1\.[23]$/, 'over TLS';

# What must not pass.
$d->send('ann@here.example', "bob\@$_.example", "Subject: $_\n\nhello\n")
    for qw(nocert bad noauth);
ok $d->wait_log(qr/TLS: .*(alert|closed|reset)/i, 60),
    'no certificate: deferred';
ok $d->wait_log(qr/AUTH LOGIN is refused: 535/, 60), 'wrong password: deferred';
ok $d->wait_log(qr/event=\w+ .*status="530 /, 60), 'no credentials: 530';
is scalar(grep { /secret|c2VjcmV0|wrong|d3Jvbmc/ && !/secrets/ } $d->log), 0,
    'no secret in the log';
kept(3);
is scalar @kept, 2, 'nothing else was taken';
$d->stop;
done_testing;
