#!/usr/bin/perl
# Started by root every role has a user and a root directory of its own.
use strict;
use warnings;

use Test::More;

use Spoolkit;

my %user = (control => '_smtpd-control', smtp => '_smtpd-smtp',
	lookup => '_smtpd-lookup', dns => '_smtpd-dns', spooler => '_smtpq',
	scheduler => '_smtpd-sched', mta => '_smtpd-mta', mda => '_smtpd-mda');

plan skip_all => 'not root' if $> != 0;
for (values %user) {
	plan skip_all => "no user $_: make users" unless defined getpwnam $_;
}

my $d = Spoolkit->start(as_root => 1, conf => <<'END');
accept from any for domain "example.org" users any \
	deliver to maildir "%DIR%/mail/%{user}" owner nobody
END
my (undef, undef, $nobody, $group) = getpwnam 'nobody';
chown $nobody, $group, "$d->{dir}/mail";

sub user_of {
	my ($pid) = @_;
	return scalar getpwuid((stat "/proc/$pid")[4]);
}

my $pids = $d->role_pids;
is user_of($d->pid), 'root', 'the parent is root';
for my $role (sort keys %user) {
	my $pid = $pids->{$role};

	my ($status) = map { /^Uid:\s+(.*)/m ? $1 : '' }
	    Spoolkit::slurp("/proc/$pid/status");
	my $uid = getpwnam $user{$role};
	is $status, join("\t", ($uid) x 4), "$role is $user{$role} for good";
	my ($groups) = Spoolkit::slurp("/proc/$pid/status") =~ /^Groups:(.*)/m;
	is $groups =~ s/\s//gr, (getpwnam $user{$role})[3],
	    "$role has no other group";
	my $root = readlink "/proc/$pid/root";
	if ($role eq 'lookup') {
		is $root, '/', 'lookup reads files anywhere';
	} elsif ($role eq 'spooler') {
		is $root, "$d->{dir}/spool", 'the spool is the root of spooler';
	} else {
		isnt $root, '/', "$role is locked in";
		is scalar(my @there = glob "/proc/$pid/root/*"), 0,
		    "where nothing is, $role";
	}
}
is scalar(getpwuid((stat "$d->{dir}/spool")[4])), '_smtpq',
    'the spool belongs to the spooler';
like $d->send('a@b.example', 'ann@example.org', "Subject: x\n\nhello\n"),
    qr/^250 /, 'mail is taken';
ok $d->wait(sub { scalar $d->maildir('ann') }, 10), 'and delivered';
my ($file) = glob "$d->{dir}/mail/ann/new/*";
is((stat $file)[4], $nobody, 'to a file of the owner');
$d->stop;
done_testing;
