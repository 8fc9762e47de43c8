#!/usr/bin/perl
# Pauses of parts of the outgoing mail: once they are answered they are on disk,
# whatever ends the daemon, and a file that a person or the disk spoiled stops
# nothing.
use strict;
use warnings;

use Test::More;

use FakeMX;
use Spoolkit;

my $mx = FakeMX->start(one => {}, two => {});
my $d = Spoolkit->start(
	vars => { map { uc($_) => $mx->port($_) } qw(one two) },
	conf => <<'END');
accept from any for domain "one.test" relay via "smtp://127.0.0.1:%ONE%"
accept from any for domain "two.test" relay via "smtp://127.0.0.1:%TWO%"
END
my $file = "$d->{dir}/spool/state/mta-pauses";
my $name = '[127.0.0.1]:' . $mx->port('one');

sub got {
	my ($host) = @_;
	return scalar $mx->messages($host);
}

sub put_by_hand {
	my ($text, $mode) = @_;
	unlink $file;
	Spoolkit::spew($file, $text);
	$d->close_file($file);
	chmod $mode, $file if defined $mode;
}

# Mail to both: two's comes, so one's would have come as well.
my $sent = 0;
sub only_two_gets_mail {
	my ($name) = @_;
	my ($one, $two) = (got('one'), got('two'));

	$sent++;
	$d->send('a@shop.example', "u$sent\@one.test", "Subject: 1\n\nx\n");
	$d->send('a@shop.example', "u$sent\@two.test", "Subject: 2\n\nx\n");
	ok $d->wait(sub { got('two') == $two + 1 }), "$name: one gets its mail";
	is got('one'), $one, "$name: the other waits";
}

$d->send('a@shop.example', 'first@one.test', "Subject: 0\n\nx\n");
ok $d->wait(sub { got('one') == 1 }), 'mail goes';
my ($exit, $out, $err) = $d->ctl('pause', 'relay', $name, '--reason',
	'moving "house"');
is $exit, 0, 'a relay is paused' or diag "$out$err";
$d->kill9;
like Spoolkit::slurp($file), 
    qr/^relay "\Q$name\E" uid \d+ reason ".*house/m,
    'once this is said it stands in the file';
$d->run;
only_two_gets_mail('after kill -9');
$d->restart;
only_two_gets_mail('after a restart');

# For a time.
($exit) = $d->ctl('resume', 'relay', $name);
is $exit, 0, 'it is resumed';
ok $d->wait(sub { got('one') == 3 }), 'what waited goes';
unlike Spoolkit::slurp($file), qr/^relay/m, 'nothing is left in the file';
($exit) = $d->ctl('pause', 'relay', $name, '--for', '1h');
is $exit, 0, 'a pause for an hour';
like Spoolkit::slurp($file), qr/until \d{4}-/, 'says until when';
$d->stop;
$d->clock(3700);
$d->run;
$d->send('a@shop.example', 'late@one.test', "Subject: l\n\nx\n");
ok $d->wait(sub { got('one') == 4 }), 'which is over after it';
$d->stop;

# Edited by hand, and damaged.
put_by_hand("# note to self\nrelay $name\nrelay \"$name\" reason \"by hand\"\n"
    . "\0\xff\x80 garbage\nsource\n");
$d->run;
is scalar($d->logged(qr/event=pauses-damaged .*line=2/)), 1,
    'a bad line is reported with its number';
is scalar($d->logged(qr/event=pauses-damaged .*line=[45]/)), 2,
    'and garbage is';
only_two_gets_mail('a line written by hand');
($exit) = $d->ctl('resume', 'relay', $name);
is $exit, 0, 'it is resumed';
ok $d->wait(sub { got('one') == 5 }), 'what waited goes';
like Spoolkit::slurp($file), qr/^# note to self\nrelay \Q$name\E\n/m,
    'what could not be read is left as it was';
$d->stop;

# Not to be read at all: a directory in its place.
unlink $file;
mkdir $file;
$d->run;
ok scalar($d->logged(qr/event=pauses-unreadable/)), 'that is reported';
$d->send('a@shop.example', 'dir@one.test', "Subject: l\n\nx\n");
ok $d->wait(sub { got('one') == 6 }), 'and mail goes';
($exit, $out, $err) = $d->ctl('pause', 'relay', $name);
isnt $exit, 0, 'a pause is not kept then';
like "$out$err", qr/not kept for a restart/, 'and that is said';
only_two_gets_mail('but holds');
rmdir $file;
($exit, $out, $err) = $d->ctl('pause', 'relay', $name);
is $exit, 0, 'it is kept when that is put right' or diag "$out$err";
like Spoolkit::slurp($file), qr/^relay/m, 'in the file';
$d->stop;

SKIP: {
	my $qtool = Spoolkit::build_dir() . '/qtool';
	skip 'no qtool', 1 unless -x $qtool;
	my $said = `$qtool -s "$d->{dir}/spool" verify 2>&1`;
	unlike $said, qr/mta-pauses/, 'qtool verify finds nothing odd in it';
}
done_testing;
