#!/usr/bin/perl
# The examples of qtool.8, as they are printed, all work; the manual has every
# command and option of the help.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp 'tempdir';
use Test::More;

use Qtool qw(qtool fill);
use Spoolkit;

my $dir = tempdir('qtool.XXXXXX', TMPDIR => 1, CLEANUP => 1);
fill("$dir/s", messages => 50, recipients => 2, size => 1500);
my $shown = qx(mandoc -T ascii man/qtool.8) =~ s/.\x08//gr;
$shown =~ /^EXAMPLES$(.*)^SEE ALSO$/ms or die 'no examples';
my @examples = $1 =~ /^\s+\$ (qtool .*)$/mg;
cmp_ok(scalar @examples, '>', 8, 'there are examples');

# Those of the manual have no -d: the word stands for both.
mkdir "$dir/bin";
my $qtool = abs_path(Spoolkit::build_dir() . '/qtool');
Spoolkit::spew("$dir/bin/qtool",
	"#!/bin/sh\nexec $qtool -d $dir/s \"\$@\"\n");
chmod 0755, "$dir/bin/qtool";
$ENV{PATH} = "$dir/bin:$ENV{PATH}";
for my $example (@examples) {
	my $said = qx(($example) 2>&1);
	is($?, 0, $example) or diag $said;
	unlike($said, qr/EX_/, 'without an error');
}

my $help = qtool('help');
my @commands = $help =~ /^  ([a-z]+(?: [a-z]+)?)(?: [A-Z\[].*?)?  /mg;
cmp_ok(scalar @commands, '>', 12, 'the help has commands');
for my $command (@commands) {
	next if $command eq 'help';
	like($shown, qr/^\s+\Q$command\E\b/m, "$command is described");
	my $more = qtool('help', split / /, $command);
	for my $option ($more =~ /(--[a-z-]+)/g) {
		like($shown, qr/\Q$option\E\b/, "$command $option is described");
	}
}

# README, "Your queue is text": its commands do what it says.
my ($section) = Spoolkit::slurp('README.md')
    =~ /^## Your queue is text$(.*?)^## /ms or die 'no section';
my @lines = $section =~ /^    \$ (.*)$/mg;
cmp_ok(scalar @lines, '>', 4, 'README shows how');
my ($id) = split /\n/, qtool('-d', "$dir/s", qw(list -i -n 1));
my $bucket = substr $id, 0, 2;
for my $line (@lines) {
	my $run = $line =~ s{var/spool}{$dir/s}r =~ s/\b[0-9a-f]{16}\b/$id/r
	    =~ s{(queue/)[0-9a-f]{2}\b}{$1$bucket}r;
	my $said = qx(($run) 2>&1);
	is($?, 0, $line) or diag $said;
	like($said, qr/\S/, 'and it says something');
}
done_testing();
