#!/usr/bin/perl
# explain: the rule, the relay, its hosts and TLS, and the true reason for
# which mail would not go now. Nothing is sent by it.
use strict;
use warnings;
use Ctlrig;
use Dns;
use FakeMX;
use IO::Socket::UNIX;
use Spoolkit;
use Test::More;

my $port = Spoolkit::free_port();
my $dns = Dns->start(zones => { 'example.org' => <<'END' });
up1 A 127.0.0.21
up2 A 127.0.0.22
down A 127.0.0.23
grey A 127.0.0.24
plain A 127.0.0.25
slow A 127.0.0.26
good MX 20 up2
good MX 10 up1
dead MX 10 down
greylist MX 10 grey
noloop MX 10 up1
null MX 0 .
intls MX 10 plain
slowly MX 10 slow
END
my $mx = FakeMX->start(
	up1 => { addr => '127.0.0.21', port => $port },
	up2 => { addr => '127.0.0.22', port => $port },
	grey => { addr => '127.0.0.24', port => $port,
		RCPT => ['451 4.7.1 greylisted for 300 s'] },
	plain => { addr => '127.0.0.25', port => $port,
		ehlo => ['PIPELINING'] },
	slow => { addr => '127.0.0.26', port => $port,
		connect => { reply => '220 slow', delay => 60 } },
	via => {});
my $via = $mx->port('via');
my $ns = $dns->port;
my $d = Spoolkit->start(env => { SMTPD_TEST_MX_PORT => $port,
	SMTPD_TEST_DEADLINE => 20000 }, conf => <<"END");
resolver 127.0.0.1 port $ns
table names { "all\@here.test" = "ann, far\@good.example.org" }
limit mta for domain slowly.example.org max-connections-per-route 1
reject from any for domain "never.example.org"
accept from any for domain "here.test" alias <names> users any \\
	deliver to maildir "%DIR%/mail/%{user}"
accept from any sender "only\@shop.example" for domain "picky.test" \\
	relay via "smtp://127.0.0.1:$via"
accept from any for domain "via.test" relay via "smtp://127.0.0.1:$via"
accept from any for domain "intls.example.org" relay tls
accept from any for domain "*.example.org" relay
END

# The rows of one type, and the words of people.
sub account {
	my ($to, @more) = @_;
	my @rows = $d->ctl_json('explain', $to, @more);
	my %of;
	push @{ $of{ $_->{type} } }, $_ for @rows;
	return \%of;
}

sub cause {
	my $of = account(@_);
	return $of->{cause} ? $of->{cause}[-1]{cause} : 'none';
}

sub text_of { account(@_)->{cause}[-1]{text} }

sub sent {
	my ($to) = @_;
	$d->send('news@shop.example', $to, "Subject: x\n\nx\n") =~
	    /^250 2\.0\.0 (\S+)/ or die "refused: $to\n";
	return $1;
}

sub becomes {
	my ($to, $want, $name) = @_;
	my $is;
	ok $d->wait(sub { ($is = cause($to)) eq $want }, 60), $name
	    or diag "$to: $is: " . text_of($to);
}

# What it says where all is well.
my $of = account('ann@good.example.org', '--from', 'news@shop.example');
my ($rule) = @{ $of->{rule} };
is $rule->{verdict}, 'accepted', 'a rule takes it';
my @conf = split /\n/, Spoolkit::slurp($d->conf);
like $conf[$rule->{line} - 1], qr/^accept .*\*\.example\.org/,
    'the line of the rule is that of the file';
like $rule->{text}, qr/^accept from any for domain "\*\.example\.org"/,
    'and so is what it says';
is $of->{target}[0]{dest}, 'ann@good.example.org', 'its target';
is $of->{target}[0]{carrier}, 'mta', 'is relayed';
my ($way) = @{ $of->{way} };
like $way->{relay}, qr/^good\.example\.org: by MX, 10 up1\S+, 20 up2/,
    'the relay with its hosts';
like $way->{tls}, qr/TLS when offered.*; by the action: relay/,
    'TLS, and what says so';
is $way->{source}, '* (the system chooses)', 'the source';
is $way->{helo}, 'mail.test.example', 'the name that is said';
like $way->{limits}, qr/10 a host, 5 a route, 100 a source/, 'the limits';
is join(' ', map { "$_->{preference}:$_->{address}" } @{ $of->{mx} }),
    '10:127.0.0.21 20:127.0.0.22', 'hosts by preference, with addresses';
is $of->{cause}[0]{cause}, 'ready', 'and mail would go';
like $of->{cause}[0]{text}, qr/new route, \* -> up1\.example\.org/,
    'by the best host';
is scalar($mx->sessions), 0, 'nothing was sent for that';
my ($code, $out, $err) = $d->ctl('explain', 'ann@good.example.org');
is $code, 0, 'for people' or diag $err;
is join(' ', $out =~ /^(\w+) /mg), 'rule target rcpt relay tls source helo '
    . 'limits host host now', 'line by line' or diag $out;
like $out, qr/^host      10 up1\.example\.org \[127\.0\.0\.21\]/m, 'a host';
like $out, qr/^now       ready: mail for it would go at once/m, 'the end';

# Rules and aliases.
is account('x@nowhere.test')->{rule}[0]{cause}, 'no-rule', 'no rule';
is account('x@nowhere.test')->{rule}[0]{verdict}, 'no rule', 'is said';
is account('x@never.example.org')->{rule}[0]{cause}, 'rejected',
    'a rule that rejects';
like account('x@never.example.org')->{rule}[0]{text},
    qr/^reject from any for domain "never/, 'is named';
is account('a@picky.test')->{rule}[0]{cause}, 'no-rule',
    'a rule for one sender';
is account('a@picky.test', '--from', 'only@shop.example')
    ->{rule}[0]{verdict}, 'accepted', 'takes his mail';
$of = account('all@here.test');
is join(' ', sort map { "$_->{carrier}:$_->{dest}" } @{ $of->{target} }),
    'mda:ann@here.test mta:far@good.example.org', 'an alias is followed';
is scalar @{ $of->{way} }, 1, 'and what of it is relayed explained';

# Causes.
is cause('a@null.example.org'), 'null-mx', 'null MX';
is cause('a@gone.example.org'), 'no-such-domain', 'no such domain';
is cause('a@dead.example.org'), 'ready', 'a host nobody has tried';
my $dead = sent('a@dead.example.org');
becomes 'a@dead.example.org', 'route-penalty', 'that cannot be reached';
$of = account('a@dead.example.org');
like $of->{cause}[0]{text},
    qr/^route r\d+ \(\* -> down\S+ .*\) is disabled until 20\S+Z after: .*refused/,
    'the route, until when, and why';
cmp_ok $of->{cause}[0]{until}, '>', $d->now, 'as a time';
like $of->{mx}[0]{why}, qr/is disabled until/, 'at the host as well';
sent('a@greylist.example.org');
becomes 'a@greylist.example.org', 'greylisting', 'a host that greylists';
like text_of('a@greylist.example.org'),
    qr/puts mail off.*451 4\.7\.1 greylisted for 300 s/, 'in its words';
sent('a@intls.example.org');
becomes 'a@intls.example.org', 'tls-policy', 'TLS is required, not offered';
like text_of('a@intls.example.org'), qr/TLS is required/, 'is said';
like account('a@intls.example.org')->{way}[0]{tls},
    qr/TLS required.*by the action: relay.* tls/, 'and who says so';
sent("$_\@slowly.example.org") for 1 .. 3;
becomes 'a@slowly.example.org', 'limit', 'a limit';
like text_of('a@slowly.example.org'), qr/^route r\d+ .* connection/,
    'is named';

# Pauses, of all and of parts.
$d->ctl('pause', 'mta');
is join(' ', map { $_->{cause} } @{ account('a@good.example.org')->{cause} }),
    'paused ready', 'relaying as a whole is paused';
$d->ctl('resume', 'mta');
$d->ctl(qw(pause relay good.example.org --reason INC-7 --for 1h));
is cause('a@good.example.org'), 'paused', 'a relay is paused';
like text_of('a@good.example.org'), qr/until 20\S+Z: INC-7/,
    'until when and why';
$d->ctl(qw(resume relay good.example.org));
is cause('a@good.example.org'), 'ready', 'and no longer';

# A name server that is gone.
$dns->stop;
becomes 'a@other.example.org', 'dns-failure', 'the DNS fails';

# By `relay via` no DNS is needed; the sender decides the rule.
is cause('a@via.test'), 'ready', 'relay via';
is account('a@via.test')->{mx}[0]{host}, "[127.0.0.1]:$via", 'its host';

# why goes on where the envelope's own knowledge ends.
my @rows = $d->ctl_json('why', $dead);
is join(' ', grep { !/attempt|mx/ } map { $_->{type} } @rows),
    'header why way cause end', 'why explains the relay';
is((grep { $_->{type} eq 'why' } @rows)[0]{tries}, 1, 'it was tried once');
my ($w) = grep { $_->{type} eq 'cause' } @rows;
is $w->{cause}, 'route-penalty', 'with its cause';

# What is wrong ends the answer, not the daemon.
for my $bad (['nonsense'], ['@x.test'], ['a@b@c'], ['x' x 4000],
	["a\@\e[31m.test"], ['']) {
	($code, undef, $err) = $d->ctl('explain', @$bad);
	is $code, 64, 'no address: ' . substr($bad->[0], 0, 10) =~ s/\e/ESC/r;
	like $err, qr/EX_USAGE: .*(address|too long)/, 'is said';
}
my $roles = $d->role_pids;
for my $raw (['explain relay'], ['explain relay', 'x'],
	['explain relay', 'relay-1', ''], ['explain relay', 'no-such', 'a@b'],
	['explain relay', 'relay-1', 'x' x 9000],
	['explain rule', 'a', 'b', 'c'],
	['explain relay', 'maildir-1', 'a@here.test'], ['why', '', ''],
	['show limits', 'x' x 9000], ['show routes', 'a', 'b'],
	['pause route', 'r1'], ['pause route', '', 'x'],
	['pause route', 'r' . '9' x 30, '0'], ['pause relay', 'x' x 600, '0'],
	['pause relay', "a\001b.test", '0'], ['resume relay', "\n"],
	['pause source', 'zz', '99999999999999'], ['resume route']) {
	my $s = IO::Socket::UNIX->new(Peer => $d->socket_path);
	print $s Ctlrig::hello(), Ctlrig::request(@$raw);
	$s->flush;
	my $type = 0;
	$type = (Ctlrig::frame_of($s, 60))[0] // -1
	    until $type == -1 || $type == 0x905;
	is $type, 0x905, "$raw->[0] with " . (@$raw - 1) . ' odd arguments ends';
}
is_deeply $d->role_pids, $roles, 'by the same roles';
$d->stop;
done_testing;
