# smtpd -n: what it says of configurations, and how it exits.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $smtpd = "$ENV{BUILD}/smtpd";
my $dir = tempdir('conf.XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub put {
	my ($name, $text) = @_;
	open my $f, '>', "$dir/$name" or die "$dir/$name: $!";
	print $f $text;
	close $f;
}

# Exit code and the lines on stderr without the directory.
sub check {
	my ($text) = @_;
	put('smtpd.conf', $text);
	my $said = `$smtpd -n -f $dir/smtpd.conf 2>&1 >/dev/null`;
	my $exit = $? >> 8;
	$said =~ s/\Q$dir\E\///g;
	return ($exit, $said);
}

sub refused {
	my ($name, $text, @want) = @_;
	my ($exit, $said) = check($text);
	is($exit, 1, "$name: exit 1");
	for my $want (@want) {
		like($said, qr/\Q$want\E/, "$name: $want");
	}
	my $count = () = $said =~ /^.*\w:\d+: /mg;
	is($count, scalar @want, "$name: nothing else") or diag($said);
}

my ($exit, $said) = check("listen on 127.0.0.1 port 2525\n"
	. "accept for any relay\n");
is($exit, 0, 'a good one: exit 0');
unlike($said, qr/smtpd\.conf:\d/, 'a good one: no complaint');

refused('a misspelt statement', "\nlissten on 127.0.0.1\n",
	'smtpd.conf:2: unknown word "lissten", did you mean "listen"?');
refused('all of them', "spol x\nmta fast\n\nlisten on 127.0.0.1 prot 25\n"
	. "accept from any for <nobody> relay\n",
	'smtpd.conf:1: unknown word "spol", did you mean "spool"?',
	'smtpd.conf:2: mta: expected max-per-host, not "fast"',
	'smtpd.conf:4: listen: unknown word "prot", did you mean "port"?',
	'smtpd.conf:5: there is no table <nobody>');
refused('a continued line', "accept from any \\\n for any \\\n rellay\n",
	'smtpd.conf:3: accept: unknown word "rellay", did you mean "relay"?');
refused('a string', "spool \"x\n",
	'smtpd.conf:1: "x": the closing quote is missing');
put('inner.conf', "\n\nhostname a..b\n");
refused('an included file', "include \"inner.conf\"\nidle-timeout x\n",
	'inner.conf:3: hostname: expected a domain name, not "a..b"',
	'smtpd.conf:2: idle-timeout: expected a duration');
refused('a missing file', "include \"none.conf\"\n",
	'No such file or directory');
refused('our own statement', "run verbose\n",
	'smtpd.conf:1: run: is a statement of the daemon');
refused('octets', "spool \"\xff\x01\"\n",
	'smtpd.conf:1: "\xff": a control character in a string');
refused('a file that includes itself', "include \"smtpd.conf\"\n",
	'includes are nested too deeply');

my $none = `$smtpd -n -f $dir/none.conf 2>&1 >/dev/null`;
is($? >> 8, 1, 'no file: exit 1');
like($none, qr/none\.conf.*No such file/, 'no file: says so');
done_testing;
