# DNSSEC in the daemon itself: the trust anchor goes from its file to the dns
# role, which has an empty root, at the start and at a reload; what is bogus
# waits and says why.
use strict;
use warnings;
use Test::More;
use Dns;
use FakeMX;
use Spoolkit;

my $port = Spoolkit::free_port();
my $dns = Dns->start(
	zones => {
		'example.org' => <<'END',
first MX 10 up
good MX 10 up
bad MX 10 up
late MX 10 up
host MX 10 wrong
up A 127.0.0.11
wrong A 127.0.0.11
END
		'example.net' => <<'END',
bad MX 10 up
more MX 10 up
up A 127.0.0.11
END
	},
	sign => {
		'example.org' => { bogus => ['first MX', 'bad MX', 'wrong A'],
			expired => ['late MX'] },
		'example.net' => { bogus => ['bad MX', 'more MX'] },
	});
my $mx = FakeMX->start(up => { addr => '127.0.0.11', port => $port });
my $rules = "resolver 127.0.0.1 port ${\ $dns->port}\n" .
    "accept from any for any relay\n";

sub anchor_of {
	my ($d, @zones) = @_;
	my $text = join '', grep { my $l = $_; grep { $l =~ /^\Q$_\E\./ } @zones }
	    split /(?<=\n)/, $dns->anchor;
	Dns::put("$d->{dir}/anchor", "; made by a test\n$text");
	chmod 0644, "$d->{dir}/anchor";
}

# The reason why mail to an address waits, once there is one.
sub reason {
	my ($d, $to) = @_;
	my $found;
	$d->wait(sub {
		my (undef, $out) = $d->ctl('show', 'queue', '-j');
		for (split /\n/, $out) {
			$found = $1 if /\Q$to\E/ && /"error":\{[^}]*"text":"([^"]+)"/;
		}
		return defined $found;
	}, 60);
	return $found // 'none';
}

for my $root ($> == 0 ? (0, 1) : 0) {
	my $name = $root ? 'as root' : 'unprivileged';
	my $d = Spoolkit->start(as_root => $root, env => {
		SMTPD_TEST_MX_PORT => $port, SMTPD_TEST_DEADLINE => 10000 },
	    conf => $rules);
	my $before = () = $mx->messages;
	$d->send('a@here.example', 'x@first.example.org', "Subject: 0\n\nx\n");
	ok $d->wait(sub { $mx->messages > $before }, 60),
	    "$name: no anchor, nothing is validated";
	anchor_of($d, 'example.org');
	$d->set_conf("trust-anchor \"%DIR%/anchor\"\n$rules");
	my ($exit, undef, $err) = $d->ctl('reload');
	is $exit, 0, "$name: reload" or diag $err;
	$d->send('a@here.example', "x\@$_", "Subject: $_\n\nx\n")
	    for qw(good.example.org bad.example.org late.example.org
	    host.example.org bad.example.net);
	like reason($d, 'bad.example.org'),
	    qr/^451 4\.4\.3 .*MX of bad\.example\.org: DNSSEC: bogus: /,
	    "$name: a bogus MX";
	like reason($d, 'late.example.org'),
	    qr/^451 4\.4\.3 .*MX of late\.example\.org: DNSSEC: bogus: .*expired/,
	    "$name: an MX whose signature expired";
	like reason($d, 'host.example.org'),
	    qr/^451 4\.4\.3 .*address of wrong\.example\.org: DNSSEC: bogus: /,
	    "$name: a bogus address";
	ok $d->wait(sub { $mx->messages >= $before + 3 }, 60),
	    "$name: the rest arrives";
	is join(' ', sort map { @{ $_->{rcpts} } } ($mx->messages)[$before ..
	    $before + 2]),
	    'x@bad.example.net x@first.example.org x@good.example.org',
	    "$name: what validates, and what is below no anchor";

	# An anchor that is no good changes nothing; a good one counts at once.
	Dns::put("$d->{dir}/anchor", "example.org. IN DS 1 2 3\n");
	($exit, undef, $err) = $d->ctl('reload');
	isnt $exit, 0, "$name: a bad anchor is refused";
	ok $d->wait(sub { Dns::get($d->{log}) =~ /trust-anchor: .*line 1: / }, 10),
	    "$name: the log says which line";
	anchor_of($d, 'example.org', 'example.net');
	($exit) = $d->ctl('reload');
	is $exit, 0, "$name: reload again";
	$d->send('a@here.example', 'y@more.example.net', "Subject: 1\n\nx\n");
	like reason($d, 'y@more.example.net'), qr/DNSSEC: bogus/,
	    "$name: another anchor";
	$d->stop;
}

done_testing;
