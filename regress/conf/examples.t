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

my @examples = examples();
cmp_ok(scalar @examples, '>=', 4, 'the page has examples');
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
