#!/usr/bin/perl
# Texts of envelopes that were read from files: used, bounded, and never older
# than what a person told the daemon of.
use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Spoolkit;

my $drive = ($ENV{BUILD} || 'build') . '/spool/qdrive';
my $dir = tempdir(CLEANUP => 1);
$ENV{QUIET} = 1;
$ENV{SEGMENT} = 1048576;

sub drive {
	my ($env, @args) = @_;
	my $out = qx(env $env $drive $dir/spool @args 2>$dir/err);
	my ($last) = $out =~ /^(STATS .*)$/m or diag "$out@args";
	return { $last =~ /(\w+)=(\d+)/g };
}

is drive('SETTLE=1', 'put', 60, 500)->{commits}, 60, 'mail is taken';
my $s = drive('', 'read', 3);
is $s->{misses}, 60, 'each file is read once';
is $s->{hits}, 120, 'and then remembered';
is $s->{refused}, 0, 'all can be read';
cmp_ok $s->{cached}, '>', 60 * 300, 'texts are kept';
$s = drive('CACHE=4000', 'read', 3);
is $s->{misses} + $s->{hits}, 180, 'a cache that is too small';
cmp_ok $s->{hits}, '<', 20, 'is of no use';
cmp_ok $s->{cached}, '<=', 4000, 'the bound holds';
is drive('', 'defer')->{misses}, 0, 'new texts';
$s = drive('', 'read', 2);
is "$s->{misses} $s->{hits}", '60 60', 'come from files in turn';

my $d = Spoolkit->start(options => ['-P', 'mta'], conf => <<'END');
accept from any for any relay via "smtp://127.0.0.1:9"
END
my ($msgid) = $d->send('a@shop.example', 'ann@far.test',
    "Subject: one\n\nhello\n") =~ /^250 2\.0\.0 ([0-9a-f]{12}) / or die;
is +($d->ctl('sync'))[0], 0, 'its file is exact';

sub shown { return ($d->ctl('show', 'envelope', "${msgid}0001"))[1] }
sub count {
	my ($name) = @_;
	my ($n) = ($d->ctl('show', 'stats'))[1] =~ /^spooler\.$name=(\d+)$/m;
	return $n;
}

like shown(), qr/^destination: ann\@far\.test$/m, 'shown from its file';
my ($files, $memory) = (count('reads_from_files'), count('reads_from_memory'));
like shown(), qr/^destination: ann\@far\.test$/m, 'shown once more';
is count('reads_from_files'), $files, 'its file is not read again';
is count('reads_from_memory'), $memory + 1, 'but memory is';

my ($file) = glob $d->dir . "/spool/queue/*/${msgid}0001";
for my $name ('eve', 'bob') {
	my $text = Spoolkit::slurp($file);
	$text =~ s/^destination: \w+/destination: $name/m;
	Spoolkit::spew($file, $text);
	is +($d->ctl('discover', "${msgid}0001"))[0], 0, "an edit: $name";
	like shown(), qr/^destination: $name\@far\.test$/m, 'is what is shown';
	is +($d->ctl('sync'))[0], 0, 'its file is exact';
	like shown(), qr/^destination: $name\@far\.test$/m, 'from its file too';
}
is +($d->ctl('pause', 'envelope', "${msgid}0001"))[0], 0, 'held';
like shown(), qr/^state: held$/m, 'a verb is seen at once';
is +($d->ctl('sync'))[0], 0, 'its file is exact';
like shown(), qr/^state: held$/m, 'and from its file';
is +($d->ctl('remove', "${msgid}0001"))[0], 0, 'removed';
unlike shown(), qr/^state:/m, 'nothing is left of it';
done_testing();
