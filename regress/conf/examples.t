# Every example of smtpd.conf(5) is a configuration.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $page = dirname(__FILE__) . '/../../man/smtpd.conf.5';
my $smtpd = "$ENV{BUILD}/smtpd";
my $dir = tempdir('conf.XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub examples {
	my ($in, @found);
	open my $f, '<', $page or die "$page: $!";
	while (<$f>) {
		$in = /EXAMPLES/ if /^\.Sh/;
		if ($in && /^\.Bd -literal/) {
			my $text = '';
			while (($_ = <$f>) !~ /^\.Ed/) {
				s/\\e/\\/g;
				s/\\\(dq/"/g;
				s/\\&//g;
				$text .= $_;
			}
			push @found, $text;
		}
	}
	return @found;
}

# The files that the examples name.
sub put {
	my ($name, $text, $mode) = @_;
	open my $f, '>', "$dir/$name" or die "$dir/$name: $!";
	print $f $text;
	close $f;
	chmod $mode, "$dir/$name";
}
mkdir "$dir/secrets";
put('secrets/passwords', "ours ann\@example.org:password\n", 0600);
put('secrets/root.key', ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D084"
	. "58E880409BBC683457104237C7F8EC8D\n", 0644);
system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 '
	. "-nodes -keyout $dir/secrets/mx1.key -out $dir/secrets/mx1.crt "
	. '-subj /CN=mx1.example.org -days 2 2>/dev/null') == 0
    or die 'openssl req failed';
chmod 0600, "$dir/secrets/mx1.key";

my @examples = examples();
cmp_ok(scalar @examples, '>=', 6, 'the page has examples');
my $n = 0;
for my $text (@examples) {
	my $path = "$dir/" . ++$n . '.conf';
	open my $f, '>', $path or die "$path: $!";
	print $f $text;
	close $f;
	my $said = `$smtpd -n -f $path 2>&1`;
	is($?, 0, "example $n") or diag($text, $said);
}
done_testing;
