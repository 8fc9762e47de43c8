#!/usr/bin/perl
# The command line of smtpd, and the examples of smtpd(8).
use strict;
use warnings;

use Test::More;

use JSON::PP;
use Spoolkit;

my $d = Spoolkit->start(conf => <<'END');
accept from any for domain "example.org" users any \
	deliver to maildir "%DIR%/mail/%{user}"
accept from local for any relay
END
$d->stop;

# Runs smtpd with these words: (status, what it said).
my $runs = 0;
sub smtpd {
	my @words = @_;
	my $said = "$d->{dir}/said" . $runs++;
	my $pid = $d->spawn($said, $said, "$d->{bin}/smtpd", @words);
	my $status;

	$d->wait(sub { waitpid($pid, 1) == $pid && defined($status = $?) }, 20)
	    or kill('KILL', $pid), waitpid($pid, 0);
	return (defined $status ? $status >> 8 : 'none',
		Spoolkit::slurp($said));
}

sub smtpd_is {
	my ($want, $re, @words) = @_;
	my ($status, $said) = smtpd(@words);

	is $status, $want, "smtpd @words: $want" or diag $said;
	like $said, $re, '  and says so';
}

smtpd_is 64, qr/^usage: smtpd/m, '-y';
smtpd_is 64, qr/unexpected word 'now'/, 'now';
smtpd_is 64, qr/-P takes mta, mda or smtp, not 'all'/, '-P', 'all';
smtpd_is 64, qr/no role 'postmaster'/, '-x', 'postmaster';
smtpd_is 0, qr/^usage: smtpd/m, '-h';
smtpd_is 1, qr/nowhere\.conf/, '-n', '-f', "$d->{dir}/nowhere.conf";
my $bad = "$d->{dir}/bad.conf";
Spoolkit::spew($bad, "hostname x.example\nacccept from any for any relay\n");
smtpd_is 1, qr/bad\.conf:2: .*acccept/, '-n', '-f', $bad;
smtpd_is 1, qr/bad\.conf:2: .*acccept/, '-d', '-f', $bad;

# Every line of the examples is run below.
my $page = Spoolkit::slurp('man/smtpd.8');
my ($examples) = $page =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh /ms;
my @lines = $examples =~ /^\$ (.*)$/mg;
is_deeply \@lines, ['smtpd -n -f smtpd.conf', 'smtpd -dv -f smtpd.conf',
	'smtpd -P mta -P mda -f smtpd.conf', 'smtpctl show queue',
	'smtpctl resume mta'], 'the examples of smtpd(8)';

smtpd_is 0, qr/configuration OK/, split(/ /, $lines[0] =~ s/^smtpd //r);

$d->{flags} = ['-v'];
$d->run;
like $d->send('a@b.example', 'ann@example.org', "Subject: x\n\nx\n"),
    qr/^250 /, 'smtpd -dv takes mail';
$d->stop;

# In the background: up when the command has ended.
my ($status, $said) = smtpd(split / /, $lines[2] =~ s/^smtpd //r);
is $status, 0, "$lines[2]: up, in the background" or diag $said;
my %pid = map { $_->{role} => $_->{pid} }
    grep { ($_->{type} // '') eq 'role' } $d->ctl_json(qw(show status));
ok $pid{parent} && kill(0, $pid{parent}), 'there it is';
END { kill 'KILL', grep { $_ } values %pid if %pid }
like $d->send('a@b.example', 'bob@example.org', "Subject: x\n\nx\n"),
    qr/^250 /, 'mail is taken';
my ($exit, $out) = $d->ctl(qw(show queue));
is $exit, 0, $lines[3];
like $out, qr/bob\@example\.org/, 'and is kept in the queue';
($exit) = $d->ctl(qw(resume mta));
is $exit, 0, $lines[4];
is scalar($d->maildir('bob')), 0, 'local delivery is paused still';
($exit) = $d->ctl('stop');
is $exit, 0, 'smtpctl stop';
ok $d->wait(sub { !kill 0, $pid{parent} }, 10), 'ends it';
%pid = ();
done_testing;
