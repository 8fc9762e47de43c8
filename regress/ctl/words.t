#!/usr/bin/perl
# Every word of smtpctl: what is asked of whom, what is refused, how it ends.
use strict;
use warnings;
use Ctlrig;
use File::Temp;
use Test::More;

my $rig = Ctlrig->start(rows => 4);
my ($m, $e) = ('a8083e5bca7b', 'a8083e5bca7b0001');

# enum query_what
my ($MESSAGE, $HOSTS, $PAUSE, $RESUME, $HOLD, $RELEASE, $SCHEDULE,
    $REMOVE, $DISCOVER, $SYNC, $LOG, $RELOAD, $STOP) = 4 .. 16;
my ($ROUTES, $HOSTSTATS, $RELAYS, $SESSIONS, $LIMITS, $STEER, $UNSTEER) =
    18 .. 24;

my @asked = (
    # words, role, what, arguments, reason
    [ "show queue $m", 'spooler', 2, $m ],
    [ "show queue a8083e $m", 'spooler', 2, "a8083e,$m" ],
    [ "show message $m", 'spooler', $MESSAGE, $m ],
    [ "show hosts", 'mta', $HOSTS, '' ],
    [ "show routes", 'mta', $ROUTES, '' ],
    [ "show routes --why", 'mta', $ROUTES, 'why' ],
    [ "show hoststats", 'mta', $HOSTSTATS, '' ],
    [ "show relays", 'mta', $RELAYS, '' ],
    [ "show relays --why", 'mta', $RELAYS, 'why' ],
    [ "show sessions", 'mta', $SESSIONS, '' ],
    [ "show limits", 'mta', $LIMITS, '' ],
    [ "show limits example.org", 'mta', $LIMITS, 'example.org' ],
    [ "pause route r12", 'mta', $STEER, 'route,r12,0' ],
    [ "pause route r12 --for 30m --reason INC-7", 'mta', $STEER,
	'route,r12,1800', 'INC-7' ],
    [ "pause source 192.0.2.9 --for 1d", 'mta', $STEER,
	'source,192.0.2.9,86400' ],
    [ "pause relay example.org", 'mta', $STEER, 'relay,example.org,0' ],
    [ "resume route r12", 'mta', $UNSTEER, 'route,r12' ],
    [ "resume route all", 'mta', $UNSTEER, 'route,all' ],
    [ "resume source *", 'mta', $UNSTEER, 'source,*' ],
    [ "resume relay example.org", 'mta', $UNSTEER, 'relay,example.org' ],
    [ "pause envelope $e $m", 'scheduler', $HOLD, "$e,$m" ],
    [ "pause envelope all", 'scheduler', $HOLD, 'all' ],
    [ "pause envelope $e --reason CHG-1", 'scheduler', $HOLD, $e, 'CHG-1' ],
    [ "resume envelope $e", 'scheduler', $RELEASE, $e ],
    [ "pause mta", 'spooler', $PAUSE, 'mta' ],
    [ "pause mda", 'spooler', $PAUSE, 'mda' ],
    [ "pause smtp", 'spooler', $PAUSE, 'smtp' ],
    [ "resume mta", 'spooler', $RESUME, 'mta' ],
    [ "resume mda", 'spooler', $RESUME, 'mda' ],
    [ "resume smtp", 'spooler', $RESUME, 'smtp' ],
    [ "schedule all", 'scheduler', $SCHEDULE, 'all' ],
    [ "schedule $m", 'scheduler', $SCHEDULE, $m ],
    [ "remove $e", 'scheduler', $REMOVE, $e ],
    [ "discover $e", 'spooler', $DISCOVER, $e ],
    [ "sync", 'spooler', $SYNC, '' ],
    [ "log brief", 'parent', $LOG, 'brief' ],
    [ "log verbose", 'parent', $LOG, 'verbose' ],
    [ "reload", 'parent', $RELOAD, '' ],
    [ "stop", 'parent', $STOP, '' ],
    # shortened
    [ "sh q $m", 'spooler', 2, $m ],
    [ "pa e all", 'scheduler', $HOLD, 'all' ],
    [ "resu env $e", 'scheduler', $RELEASE, $e ],
    [ "sc all", 'scheduler', $SCHEDULE, 'all' ],
    [ "sy", 'spooler', $SYNC, '' ],
    [ "sh rou", 'mta', $ROUTES, '' ],
    [ "pa ro r1", 'mta', $STEER, 'route,r1,0' ],
    # put together from several answers
    [ "explain ann\@example.org", 'lookup', 25, 'ann@example.org,' ],
    [ "explain ann\@example.org --from <>", 'lookup', 25,
	'ann@example.org,' ],
    [ "explain ann\@example.org --from b\@c.example", 'lookup', 25,
	'ann@example.org,b@c.example' ],
    [ "why $e", 'spooler', 27, $e ],
    [ "why a8083e", 'spooler', 27, 'a8083e' ],
);
for my $t (@asked) {
	my ($words, $role, $what, $args, $reason) = @$t;
	$reason //= '';
	my ($code, $out) = $rig->smtpctl(split / /, $words);
	is("$code $out",
	    "0 $role what=$what uid=$> reason=$reason args=$args\n", $words);
}

my @wrong = (
    # words, exit code, what is said
    [ 's', 64, "'s' may be show, schedule, sync, stop" ],
    [ 'show s', 64, "'s' may be status, stats, sessions" ],
    [ 'pause r', 64, "'r' may be route, relay" ],
    [ 'pause mta --for 1h', 64,
	'--for is for pause route, pause source and pause relay' ],
    [ 'pause route r1 --for never', 64,
	'--for takes a time up to 52w: 30m, 2h, 1d12h' ],
    [ 'pause route r1 --for 0s', 64,
	'--for takes a time up to 52w: 30m, 2h, 1d12h' ],
    [ 'pause route r1 --why', 64,
	'--why is for show routes and show relays' ],
    [ 'show queue --from a', 64, '--from is for explain' ],
    [ 'show routes r1', 64, "show routes takes no argument, but got 'r1'" ],
    [ 'why', 64, 'too few arguments to why: usage: why ID' ],
    [ 'why all', 64,
	'why is asked of one envelope or message: give its id' ],
    [ 'why 12', 64, "'12' is no id: 12 hex digits name a message, 16 an "
	    . 'envelope; 6 or more that are unique will do' ],
    [ 'explain', 64, 'too few arguments to explain: usage: explain ADDRESS '
	    . '[--from ADDRESS]' ],
    [ 'pause m', 64, "'m' may be mta, mda" ],
    [ 'shwo queue', 64, "unknown command 'shwo'; did you mean show" ],
    [ 'show quue', 64,
	"unknown command after show: 'quue'; did you mean queue" ],
    [ 'queue', 64, "unknown command 'queue'; did you mean show queue, "
	    . 'profile queue, unprofile queue' ],
    [ 'pause', 64, 'pause what? one of: envelope, mta, mda, smtp, '
	    . 'route, source, relay' ],
    [ 'pause envelope', 64,
	'too few arguments to pause envelope: usage: pause envelope '
	    . 'ID...|all' ],
    [ 'sync now', 64, "sync takes no argument, but got 'now'" ],
    [ 'remove 12', 64, "'12' is no id: 12 hex digits name a message, 16 an "
	    . 'envelope; all names every one' ],
    [ 'remove a8083e', 64, "'a8083e' is no id: 12 hex digits name a message, "
	    . '16 an envelope; all names every one' ],
    [ "remove all $e", 64, 'all stands alone' ],
    [ 'discover all', 64, "'all' is no id: 12 hex digits name a message, 16 "
	    . 'an envelope' ],
    [ 'show envelope xyz', 64, "'xyz' is no id: 12 hex digits name a "
	    . 'message, 16 an envelope; 6 or more that are unique will do' ],
    [ 'trace mtz', 64, "unknown subsystem 'mtz'; did you mean mta" ],
    [ 'trace s', 64, "'s' may be smtp, scheduler, stat" ],
    [ '-c none trace mta', 64, '-c takes a number of lines' ],
    [ '-d soon trace mta', 64, '-d takes a time: 30s, 5m, 1h' ],
);
for my $t (@wrong) {
	my ($words, $want, $text) = @$t;
	my ($code, $out, $err) = $rig->smtpctl(split / /, $words);
	is($code, $want, $words);
	is($out . $err, "smtpctl: EX_USAGE: $text\n", 'and says so');
}

{
	my ($code, $out, $err) = $rig->smtpctl();
	is($code, 64, 'no command');
	like($err, qr/^usage: smtpctl.*^  show queue \[ID/ms, 'but help');
	($code, $out) = $rig->smtpctl('--help');
	is($code, 0, '--help');
	like($out, qr/^  untrace SUBSYSTEM/m, 'lists the words');
	($code, $out) = $rig->smtpctl('sched', '--help');
	like($out, qr/^usage: smtpctl schedule ID\.\.\.\|all\n/, 'of one');
	($code, $out) = $rig->smtpctl('help', 'trace');
	like($out, qr/^Subsystems: imsg io smtp/m, 'and the other way');
	($code, $out, $err) = $rig->smtpctl('-s', '/nonexistent', 'sync');
	is($code, 69, 'no daemon');
	is($err, "smtpctl: EX_UNAVAILABLE: /nonexistent: No such file or "
	    . "directory: is smtpd running?\n", 'and says so');
	($code, $out, $err) = $rig->smtpctl('-x');
	is($code, 64, 'an unknown option');
}

{
	my @ids = map { sprintf '%012x0001', $_ } 1 .. 2500;
	my ($code, $out) = $rig->smtpctl('remove', @ids);
	is("$code $out", "0 2500 done, 0 skipped\n", 'many ids');
}

{
	my ($code, $out) = $rig->smtpctl('mailq');
	like($out, qr/^-Queue ID.*\n000000000001 +4096 /, 'mailq as a word');
	like($out, qr/^-- 16 Kbytes in 4 Requests\.\n\z/m, 'with its sum');
	my $dir = File::Temp->newdir;
	my $path = $Ctlrig::build =~ m,^/, ? '' : qx(pwd);
	chomp $path;
	symlink "$path/$Ctlrig::build/smtpctl", "$dir/mailq";
	my $as_name = qx(SMTPD_CONTROL=$rig->{socket} $dir/mailq);
	is($as_name, $out, 'and as a name of the tool');
}

{
	my ($code, $out) = $rig->smtpctl('show', 'envelope', '3f9a0c41d7b2');
	is($code, 0, 'show envelope');
	is(() = $out =~ /^spool-envelope: 1$/mg, 2, 'of a message: all of it');
	like($out, qr/^id: 3f9a0c41d7b20002\n(?:.*\n)*recipient: Ann\@Ex/m,
	    'as they are in the spool');
	my ($code2, $none, $err) = $rig->smtpctl('show', 'hosts');
	is($err, '', 'nothing on stderr where all is well');
}

# JSON as a stranger reads it: an object a line, header first, end last.
my $check = <<'END';
import json, sys
rows = [json.loads(line) for line in sys.stdin]
types = [row["type"] for row in rows]
assert all(next(iter(row)) == "type" for row in rows), "type first"
assert types[0] == "header" and rows[0]["v"] == 1 and rows[0]["host"] == "mx1"
assert types[-1] == "end", types
assert rows[-1]["n"] == len(rows) - 2 - types.count("error")
for row in rows:
    if row["type"] == "envelope" and row["evpid"].startswith("3f9a"):
        assert row["rcpt"] == "Ann@Example.Org" and row["gen"] == 3
        assert row["expires_at"] == "2026-11-26T14:02:31Z"
        assert row["error"]["code"] == 421
    elif row["type"] == "envelope":
        assert row["arrival_time"] == 1795356151
        assert row["arrival"] == "2026-11-22T14:02:31Z"
        assert row["error"]["code"] == 421
        assert row["error"]["enhanced"] == "4.7.0"
print(" ".join(types[1:-1]), rows[-1]["partial"])
END
sub json_is {
	my ($want, @args) = @_;
	my $cmd = join ' ', map { quotemeta } @args;
	my $got = qx(SMTPD_CONTROL=$rig->{socket} $Ctlrig::build/smtpctl -j \\
	    $cmd 2>$rig->{dir}/err | python3 -c '$check' 2>&1);
	is($got, "$want\n", "-j @args");
}
json_is('envelope envelope envelope envelope False', 'show', 'queue');
json_is('status role role role role role role role role role False', 'show',
    'status');
json_is('envelope envelope False', 'show', 'envelope', '3f9a0c41d7b2');
json_is(' False', 'sync');
# Completion knows the words, and so does the shell that reads it.
for my $t (['p', 'pause profile'], ['show h', 'hosts hoststats'],
	['pause r', 'route relay'], ['show routes --w', '--why'],
	['nothing ', '']) {
	my ($typed, $want) = @$t;
	my @words = ('smtpctl', split / /, $typed, -1);
	my $got = qx(bash -c 'eval "\$($Ctlrig::build/smtpctl completion bash)"
	    COMP_WORDS=(@words) COMP_CWORD=$#words; _smtpctl
	    echo "\${COMPREPLY[*]}"' 2>&1);
	is($got, "$want\n", "completion of '$typed'");
}
is(($rig->smtpctl('completion', 'csh'))[0], 64, 'of no other shell');
like(($rig->smtpctl('completion', 'fish'))[1],
    qr/seen_subcommand_from pause' -a route -d 'no more mail by a route'/,
    'fish');
done_testing();
