#!/usr/bin/perl
# The key ring: how it comes to the spooler, when it is refused, and that it is
# nowhere else.
use strict;
use warnings;

use Test::More;

use Spoolkit;
use Spoolkit::Ring;

my ($one, $two) = ('first-key-000001', 'second-key-00002');
my $rules = "accept for domain box.example users any owner nobody \\\n"
    . "    deliver to maildir \"%DIR%/mail/%{user}\"\n";
my $ring = Spoolkit::Ring->new;
$ring->write(active => $one);
my $d = Spoolkit->start(vars => { RING => $ring->path,
		PHRASE => $ring->path('phrase') },
	conf => "queue encryption key file:%RING% compression zstd:3\n$rules");

sub status {
	my ($r) = grep { ($_->{role} // '') eq 'spooler' }
	    $d->ctl_json(qw(show status));
	return $r // {};
}

is status()->{form}, 'zstd:3 sealed', 'show status says how mail is stored';
is status()->{active_key}, $one, 'and which key is active';
my (undef, $said) = $d->ctl(qw(show status));
like $said, qr/form="?zstd:3 sealed/, 'in words, too';

# Whoever holds it leaves no core; nobody else ever sees it.
sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or return '';
	local $/;
	return scalar(<$f>) // '';
}

# Whether memory that a process may write holds one of the texts; undef when it
# cannot be looked at.
sub holds {
	my ($pid, @texts) = @_;
	my ($found, $seen) = (0, 0);

	open(my $mem, '<:raw', "/proc/$pid/mem") or return;
	for (split /\n/, slurp("/proc/$pid/maps")) {
		my ($from, $to) = /^(\w+)-(\w+) rw/ or next;
		no warnings 'portable';
		($from, $to) = (hex $from, hex $to);
		next if $to - $from > 64 << 20;
		sysseek($mem, $from, 0) or next;
		sysread($mem, my $octets, $to - $from) or next;
		$seen += length $octets;
		$found ||= grep { index($octets, $_) >= 0 } @texts;
	}
	return $seen > 0 ? $found : undef;
}

my $pids = $d->role_pids;
like slurp("/proc/$pids->{spooler}/limits"), qr/^Max core file size\s+0\s+0\s/m,
    'no core of the spooler';
is((stat "/proc/$pids->{spooler}/environ")[4], 0,
	'and it is closed to its own user') if $> == 0;
my @everyone = ($d->pid, values %$pids);
is((grep { index(slurp("/proc/$_/cmdline") . slurp("/proc/$_/environ"),
			'ring.') >= 0 && $_ != $d->pid } @everyone), 0,
	'no role was told the path');
is((grep { my $said = slurp("/proc/$_/cmdline") . slurp("/proc/$_/environ");
			index($said, $ring->base64($one)) >= 0 } @everyone), 0,
	'and none the key, by its arguments or environment');
SKIP: {
	skip 'memory is looked at by root, without sanitizers', 2
	    if $> != 0 || $ENV{SAN};
	my @texts = ($ring->secret($one), $ring->base64($one));
	is_deeply([sort grep { holds($pids->{$_}, @texts) } keys %$pids],
		['spooler'], 'the key is in the spooler alone');
	is(holds($d->pid, @texts), 0, 'the parent keeps nothing of it');
}

# Reloads.
$ring->write(readable => $one, active => $two);
my ($exit) = $d->ctl('reload');
is $exit, 0, 'a new ring comes with a reload';
ok $d->wait(sub { status()->{active_key} eq $two }, 10),
    'and its active key is used at once';

chmod 0640, $ring->path;
($exit) = $d->ctl('reload');
isnt $exit, 0, 'a reload with a careless mode fails';
ok $d->wait_log(qr/smtpd\.conf:\d+: encryption: \S+ has mode 0640, and must/),
    'and the log says why';
is status()->{active_key}, $two, 'the old ring stays';

$ring->put('ring', $ring->line(active => $one) . "nonsense\n");
$d->ctl('reload');
ok $d->wait(sub { status()->{alarm} =~ /key ring: line 2: it must read/ }, 10),
    'a broken one is an alarm';
is status()->{active_key}, $two, 'and the old one stays';
$ring->write(active => $one, readable => $two);
$d->ctl('reload');
ok $d->wait(sub { status()->{active_key} eq $one }, 10), 'a good one helps';
is status()->{alarm}, '', 'and ends the alarm';
is(join(' ', sort values %{$d->role_pids}), join(' ', sort values %$pids),
	'all by the same processes');

# The set starts anew when a role dies: the ring is read again, for nobody has
# kept it, and waited for when it is not right.
chmod 0600, $ring->path;
$d->kill9('spooler');
ok $d->wait_log(qr/event=keys-refused .* has mode 0600/, 10),
    'a new set does without no key';
chmod 0400, $ring->path;
ok $d->wait(sub { (status()->{active_key} // '') eq $one }, 20),
    'and has it when it is right';
$d->stop;

# Starts that are refused: exit 78, and a sentence.
sub refused {
	my ($name, $want) = @_;
	my $before = $d->log;

	eval { $d->run };
	is(($d->{status} // 0) >> 8, 78, "$name: exit 78");
	my $new = join "\n", ($d->log)[$before .. $d->log - 1];
	like $new, $want, "$name: the sentence";
	unlike $new, qr/\Q${\$ring->base64($one)}\E/, "$name: no secret";
	if ($d->pid) {
		$d->stop("$name: it runs");
	}
}

sub checked {
	my ($name, $want) = @_;
	my $conf = $d->conf;
	my $user = join ' ', $d->as_user;
	my $out = join '', `$user $d->{bin}/smtpd -n -f $conf 2>&1`;

	isnt $?, 0, "$name: smtpd -n refuses it";
	like $out, $want, "$name: and says so";
}

for my $mode (0600, 0440) {
	my $text = sprintf '%04o', $mode;
	chmod $mode, $ring->path;
	refused("mode $text", qr/smtpd\.conf:5: encryption: .* has mode $text/);
	checked("mode $text", qr/smtpd\.conf:5: encryption: .* has mode $text/);
}
unlink $ring->path;
refused('missing', qr/encryption: .* cannot be read: No such file/);
checked('missing', qr/encryption: .* cannot be read: No such file/);
$ring->put('elsewhere', $ring->line(active => $one));
symlink $ring->path('elsewhere'), $ring->path;
refused('a link', qr/encryption: .* is a symbolic link/);
checked('a link', qr/encryption: .* is a symbolic link/);
$ring->put('ring', '#' x 65537);
refused('too large', qr/encryption: .* is larger than 65536 octets/);
checked('too large', qr/encryption: .* is larger than 65536 octets/);
$ring->put('ring', $ring->line(active => $one) . $ring->line(active => $one));
refused('twice', qr/event=keys-refused text=.*line 2: its kid stands there/);
$ring->write(readable => $one);
refused('none active', qr/no key of it is active, and new mail is to be/);

# In the background the shell is told as well.
for my $case ([0400, qr/^smtpd: EX_CONFIG: it did not start; the log says why/],
	[0600, qr/^\S+:5: encryption: \S+ has mode 0600, and must have 0400/]) {
	chmod $case->[0], $ring->path;
	my ($user, $conf) = (join(' ', $d->as_user), $d->conf);
	my $out = join '', `$user $d->{bin}/smtpd -f $conf 2>&1`;
	is $? >> 8, 78, 'in the background: exit 78';
	like $out, $case->[1], 'in the background: the sentence';
}
chmod 0400, $ring->path;

# With a passphrase, which seals the key's line; seal_vectors.py of regress/unit
# made it.
my $sealed = "scrypt 10 8 1 UFFSU1RVVldYWVpbXF1eX2Bh\n"
    . "home-key-2026-11 active 2026-11-22T13:21:09Z aes-256-gcm ZGVmZ2hpamts"
    . "bW5vAZ7xXH/YDXg1sCGPsjmPAiRLAkgv0AmaXbZru9Jupuc6lt/Z1sxMWv2I5SlEibDk\n";
$ring->put('ring', $sealed);
refused('no passphrase', qr/the ring is sealed by a passphrase, and there is/);
$d->set_conf("queue encryption key file:%RING% passphrase file:%PHRASE%\n"
	. $rules);
refused('no such file', qr/encryption: .*phrase cannot be read: No such file/);
$ring->put('phrase', "correct house\n");
refused('wrong', qr/line 2: the passphrase does not open this key/);
$ring->put('phrase', "correct horse\n", 0444);
refused('a careless passphrase', qr/phrase has mode 0444, and must have 0400/);
$ring->put('phrase', "correct horse\n");
ok eval { $d->run }, 'the right one is taken' or diag $@;
is status()->{active_key}, 'home-key-2026-11', 'and opens the ring';
$d->stop;

# As large as a ring may be: it goes through a pipe as a whole.
my $first = $ring->line(active => $one);
my $rest = 65536 - length $first;
$ring->put('ring', ('#' x 63 . "\n") x int($rest / 64)
	. '#' x ($rest % 64 - 1) . "\n" . $first);
is -s $ring->path, 65536, 'a ring of 64 KiB';
$d->set_conf("queue encryption key file:%RING%\n$rules");
ok eval { $d->run }, 'is taken' or diag $@;
is status()->{active_key}, $one, 'to its last line';
$d->stop;

# Keys for reading only, whichever states they have.
$ring->write(retired => $one);
$d->set_conf("queue encryption none key file:%RING%\n$rules");
ok eval { $d->run }, 'keys to read with' or diag $@;
is status()->{form}, 'plain', 'seal nothing';
$d->stop;
done_testing;
