#!/usr/bin/perl
# The same mail in four spools: plain, compressed, sealed, both. It comes out
# the same of each, and only the plain one can be read by who has the disk.
#
# As root, where that may mount, each spool is a file system of its own in a
# file, which is searched octet by octet when all is over: what was written once
# and taken away again is found as well. By others the files are searched as
# they stand.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use File::Temp qw(tempdir);
use Test::More;

use FakeMX;
use Spoolkit;
use Spoolkit::Ring;

my $kid = 'first-key-000001';
my $ring = Spoolkit::Ring->new;
$ring->write(active => $kid);
my $zstd = 'queue compression zstd';
my $key = 'queue encryption key file:%RING%';
my @forms = ([plain => ''], [zstd => $zstd], [sealed => $key],
	[both => "$zstd\n$key"]);

# What nobody is to find: in bodies and headers, and in what only envelopes and
# the journal know.
my %marks = (body => 'Quetzal-body', large => 'Quetzal-large',
	envelope => 'quetzal-rcpt', error => 'Quetzal-deferred',
	refused => 'Quetzal-refused', reason => 'Quetzal-hold',
	taken => 'Quetzal-taken', domain => 'good.test');
my @in_messages = @marks{qw(body large)};

$ENV{PATH} .= ':/usr/sbin:/sbin';
my $dir = tempdir('forms.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $rules = <<'END';
queue retry relay 400
accept from any for domain "good.test" relay via "smtp://127.0.0.1:%GOOD%"
accept from any for domain "later.test" relay via "smtp://127.0.0.1:%LATER%"
accept from any for domain "no.test" relay via "smtp://127.0.0.1:%NO%"
END

sub prose {
	my ($n, $mark) = @_;
	my $text = '';

	for my $i (1 .. $n) {
		$text .= sprintf "The %dth line speaks of nothing in "
		    . "particular, %08x.\r\n", $i, $i * 2654435761 % 4294967296;
		$text .= "And here it says $mark, once more.\r\n"
		    if $i % 50 == 7;
	}
	return $text;
}

# name => [sender, recipients, data]
my @mail = (
	[small => 'news@shop.test', ['ann@good.test'],
		"Subject: small\r\n\r\n" . prose(60, $marks{body})],
	[large => 'news@shop.test', ['bob@good.test'],
		"Subject: large\r\n\r\n" . prose(7000, $marks{large})],
	[odd => 'news@shop.test', ['eve@good.test'],
		"Subject: odd\r\n\r\n.\r\n..\r\n\r\n\xff\xfe\x80 $marks{body}"
		. "\r\n" . ('x' x 990) . "\r\n\r\n\r\n.dot\r\n"],
	[bare => 'news@shop.test', ['dan@good.test'], "Subject: bare\r\n"],
	[later => 'news@shop.test',
		["$marks{envelope}\@later.test", 'joe@good.test'],
		"Subject: later\r\n\r\n" . prose(60, $marks{body})],
	[no => 'sue@good.test', ["$marks{envelope}\@no.test"],
		"Subject: no\r\n\r\n" . prose(60, $marks{body})],
	[held => 'news@shop.test', ['zoe@good.test'],
		"Subject: held\r\n\r\n" . prose(60, $marks{body})],
);

my $head = "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    . "Message-Id: <one\@shop.test>\r\n";
$_->[3] = $head . $_->[3] for @mail;

# Without the field that smtpd puts in front, which has a time and an id.
sub bare {
	my ($text) = @_;
	$text =~ s/\AReceived: .*?\r?\n(?![ \t])//s;
	return $text;
}

sub subject {
	return $_[0] =~ /^Subject: (\w+)/m ? $1 : '';
}

# Which of the marks the text has, of those that the pattern names.
sub found {
	my ($text, $seen) = @_;
	for my $mark (values %marks) {
		$seen->{$mark} = 1 if index($$text, $mark) >= 0;
	}
}

sub search {
	my ($path, $seen) = @_;
	my ($text, $octets) = ('', 0);

	open(my $f, '<:raw', $path) or return 0;
	while (my $n = sysread($f, $text, 1 << 20, length $text)) {
		$octets += $n;
		found(\$text, $seen);
		$text = substr $text, -64 if length $text > 64;
	}
	return $octets;
}

# grep -r in the whole spool, its journal included.
sub search_tree {
	my ($root) = @_;
	my (%seen, $octets);

	find({ no_chdir => 1, wanted => sub {
		$octets += search($_, \%seen) if -f $_;
	} }, $root);
	return (\%seen, $octets // 0);
}

# A place for a spool; a file system of its own where that can be had.
sub place {
	my ($name) = @_;
	my $image = "$dir/$name.image";
	my $mount = "$dir/$name";

	mkdir $mount;
	return ($mount) if $> != 0 || $^O ne 'linux';
	open(my $f, '>', $image) or die "$image: $!\n";
	truncate $f, 64 << 20;
	close $f;
	system("mkfs.ext4 -q -F $image") == 0 or die "mkfs.ext4 failed\n";
	if (system("mount -o loop $image $mount 2>/dev/null") != 0) {
		diag('no file system may be mounted: files are searched only');
		chown((getpwnam('nobody'))[2, 3], $mount);
		return ($mount);
	}
	chown((getpwnam('nobody'))[2, 3], $mount);
	return ($mount, $image);
}

my %mounted;
END {
	system("umount $_ 2>/dev/null") for keys %mounted;
}

# All of it through one daemon. What came out, by subject.
sub through {
	my ($name, $form) = @_;
	my $sealed = $form =~ /encryption/;
	my $mx = FakeMX->start(good => { DOT => "250 2.0.0 $marks{taken}" },
		later => { RCPT => ["451 4.7.1 $marks{error}"] },
		no => { RCPT => ["550 5.1.1 $marks{refused}"] });
	my ($mount, $image) = place($name);
	$mounted{$mount} = 1 if $image;
	my $d = Spoolkit->start(flags => ['-P', 'mta'],
		vars => { RING => $ring->path, MOUNT => $mount,
			map { uc($_) => $mx->port($_) } qw(good later no) },
		conf => "spool \"%MOUNT%/spool\"\n$form\n$rules");
	my (%shown, %sunk);

	for (@mail) {
		my (undef, $from, $to, $data) = @$_;
		like $d->send($from, $to, $data), qr/^250 /,
		    "$name: $_->[0] is taken";
	}
	my ($held) = grep { $_->{rcpt} =~ /^zoe/ } $d->queue;
	is(($d->ctl('pause', 'envelope', $held->{evpid}, '--reason',
		$marks{reason}))[0], 0, "$name: one is held");
	$d->ctl('sync');
	for my $e ($d->queue) {
		my (undef, $text) = $d->ctl('show', 'message', $e->{evpid});
		$shown{subject($text)} = bare($text);
	}
	is scalar keys %shown, scalar @mail, "$name: show message has them";
	my ($seen) = search_tree($mount);

	$d->ctl('resume', 'mta');
	ok $d->wait(sub { $mx->messages('good') >= 6 }, 20),
	    "$name: they arrive";
	my $waiting;
	ok $d->wait(sub {
		($waiting) = grep { $_->{rcpt} =~ /later/ } $d->queue;
		return $waiting && ($waiting->{tries} // 0) > 0;
	}, 20), "$name: one is deferred";
	for my $m ($mx->messages('good')) {
		my $s = subject($m->{data});
		$sunk{$s} = bare($m->{data}) unless $s eq 'Delivery';
		like $m->{data}, qr/\Q$marks{refused}/, "$name: the bounce"
		    if $m->{mail} =~ /<>/;
	}
	my (undef, $text) = $d->ctl('show', 'envelope', $waiting->{evpid});
	like $text, qr/^error: .*\Q$marks{error}/m,
	    "$name: its error is shown";
	$d->ctl('sync');
	my ($after, $octets) = search_tree($mount);
	cmp_ok $octets, '>', 100_000, "$name: the spool was searched";
	my %all = (%$seen, %$after);
	$d->stop("$name: stops");
	my ($left) = search_tree($mount);
	my $hidden = $form eq '' ? 0 : $sealed ? 1 : 2;
	check_marks("$name: files", { %all, %$left }, $hidden);
	if ($image) {
		system('umount', $mount) == 0 or die "umount $mount\n";
		delete $mounted{$mount};
		my %device;
		is search($image, \%device), 64 << 20, "$name: device is read";
		check_marks("$name: device", \%device, $hidden);
		unlink $image;
	}
	return (\%shown, \%sunk);
}

# hidden: 0 nothing, 1 everything, 2 messages, where envelopes are not.
sub check_marks {
	my ($what, $seen, $hidden) = @_;

	if ($hidden == 0) {
		is_deeply([sort keys %$seen], [sort values %marks],
			"$what: all can be read");
	} elsif ($hidden == 1) {
		is_deeply([sort keys %$seen], [], "$what: nothing can be read");
	} else {
		is_deeply([grep { $seen->{$_} } @in_messages], [],
			"$what: no message can be read");
	}
}

my (%shown, %sunk);
for (@forms) {
	my ($name, $form) = @$_;
	($shown{$name}, $sunk{$name}) = through($name, $form);
}
for my $name (map { $_->[0] } @forms) {
	for my $mail (@mail) {
		my ($s, $data) = @$mail[0, 3];
		is sha256_hex($shown{$name}{$s} // 'none'),
		    sha256_hex($shown{plain}{$s} // ''),
		    "$name: show message of $s is that of plain";
		next if $s =~ /^(no|held)$/;
		is sha256_hex($sunk{$name}{$s} // 'none'),
		    sha256_hex($data), "$name: $s arrives as it was sent";
	}
}

# One spool whose form changes: every file says how it is to be read.
my $mx = FakeMX->start(good => {});
my $d = Spoolkit->start(flags => ['-P', 'mta'],
	vars => { RING => $ring->path, GOOD => $mx->port('good') },
	conf => conf(''));

sub conf {
	my ($form) = @_;
	my ($first) = grep { /good/ } split /\n/, $rules;
	return "$form\n$first\n";
}

sub status {
	my ($r) = grep { ($_->{role} // '') eq 'spooler' }
	    $d->ctl_json(qw(show status));
	return $r // {};
}

for (@forms) {
	my ($name, $form) = @$_;
	if ($name ne 'plain') {
		$d->set_conf(conf($form));
		$d->restart;
	}
	like $d->send('news@shop.test', "$name\@good.test",
		"Subject: $name\r\n\r\n$name\r\n" . prose(20, 'x')),
	    qr/^250 /, "mixed: $name is taken";
	$d->ctl('sync');
}
like $d->send('news@shop.test', 'gone@good.test',
	"Subject: gone\r\n\r\nunwanted\r\n"), qr/^250 /, 'mixed: one more';
my ($gone) = grep { $_->{rcpt} =~ /^gone/ } my @all = $d->queue;
is scalar(@all), 5, 'mixed: all are listed';

# Without the ring the sealed ones are kept, and listed as what they are.
$d->set_conf(conf(''));
$d->restart;
ok $d->wait(sub { status()->{loaded} }, 10), 'no key: the daemon is up';
@all = $d->queue;
is scalar(@all), 5, 'no key: all are listed';
is +($d->ctl('pause', 'envelope', $gone->{evpid}))[0], 1,
    'no key: what lacks it cannot be held';
is +($d->ctl('remove', $gone->{evpid}))[0], 0, 'no key: but removed';
@all = $d->queue;
my @locked = grep { $_->{state} eq 'locked' } @all;
is scalar(@locked), 2, 'no key: two lack it then';
is scalar(grep { $_->{message_size} > 500 && $_->{arrival_time} > 1_700_000_000
		&& $_->{error}{text} =~ /\Q$kid/ } @locked), 2,
    'no key: with size, time, and the name of the key';
is status()->{locked}, 2, 'no key: show status counts them';
is status()->{locked_key}, $kid, 'no key: and names it';
my ($exit, undef, $err) = $d->ctl('show', 'message', $locked[0]{evpid});
isnt $exit, 0, 'no key: the message is not shown';
like $err, qr/\bkey\b/, 'no key: and it says why';
$d->ctl('resume', 'mta');
ok $d->wait(sub { $mx->messages('good') == 2 }, 15),
    'no key: the others are delivered';

# The wrong key under the right name, then the right one, by reloads.
$ring->put('wrong', $ring->line(active => 'other-key-000002')
	=~ s/other-key-000002/$kid/r);
$ring->put('ring', do { local (@ARGV, $/) = $ring->path('wrong'); <> });
$d->set_conf(conf($key));
is(($d->ctl('reload'))[0], 0, 'another key: it is taken');
ok $d->wait(sub { status()->{active_key} eq $kid }, 10),
    'another key: by that name';
is status()->{locked}, 2, 'another key: helps nothing';
is scalar($mx->messages('good')), 2, 'another key: and harms nothing';
$ring->write(active => $kid);
is(($d->ctl('reload'))[0], 0, 'the key: comes with a reload');
ok $d->wait(sub { $mx->messages('good') == 4 }, 15),
    'the key: the rest is delivered';
is status()->{locked}, 0, 'the key: nothing lacks it';
ok $d->wait(sub { $d->queue_files == 0 }, 10), 'the key: the spool is empty';
is_deeply([sort map { subject($_->{data}) } $mx->messages('good')],
	[sort map { $_->[0] } @forms], 'mixed: each arrived once');
is status()->{form}, 'sealed', 'and new mail is sealed from the reload on';
like $d->send('news@shop.test', 'new@good.test',
	"Subject: new\r\n\r\n" . prose(20, $marks{body})), qr/^250 /,
    'such mail is taken';
ok $d->wait(sub { $mx->messages('good') == 5 }, 15), 'and delivered';
my ($seen) = search_tree($d->dir . '/spool');
ok !$seen->{$marks{body}}, 'and could not be read meanwhile';
$d->stop;
done_testing;
