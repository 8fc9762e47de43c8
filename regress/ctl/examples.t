#!/usr/bin/perl
# The examples of smtpctl.8, as they are printed, all work.
use strict;
use warnings;
use Cwd qw(abs_path);
use Ctlrig;
use Test::More;

my $rig = Ctlrig->start(rows => 4);
my $shown = qx(mandoc -T ascii man/smtpctl.8) =~ s/.\x08//gr;
$shown =~ /^EXAMPLES$(.*)^SEE ALSO$/ms or die 'no examples';
my @examples = $1 =~ /^\s+\$ (smtpctl .*)$/mg;
cmp_ok(scalar @examples, '>', 8, 'there are examples');

$ENV{PATH} = abs_path($Ctlrig::build) . ":$ENV{PATH}";
$ENV{SMTPD_CONTROL} = $rig->{socket};
for my $example (@examples) {
	my $said = qx(($example) 2>&1);
	is($?, 0, $example) or diag $said;
	unlike($said, qr/EX_/, 'without an error');
}

# Nothing of the help is missing in the manual.
my ($code, $help) = $rig->smtpctl('help');
for my $words ($help =~ /^  ([a-z]+(?: [a-z]+)?) /mg) {
	next if $words eq 'help';
	my @w = split / /, $words;
	my $re = @w > 1 ? qr/\b$w[0] (?:\w+ \| )*$w[1]\b/ : qr/\b$w[0]\b/;
	like($shown, $re, "$words is described");
}
done_testing();
