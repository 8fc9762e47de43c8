# LMTP over unix sockets by the whole daemon: as root the mta's root directory
# is empty, so the parent connects for it, and only where the configuration
# says so.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use FakeMX;
use Spoolkit;

my $dir = tempdir('lmtps.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $mx = FakeMX->start(one => { lmtp => 1, path => "$dir/one" },
	two => { lmtp => 1, path => "$dir/two" });
chmod 0777, "$dir/one", "$dir/two";
my $conf = <<"END_OF_CONF";
table sockets { "lmtp://$dir/two" }
accept from any for domain "one.test" relay via "lmtp://$dir/one"
accept from any for domain "two.test" relay via <sockets>
accept from any for domain "gone.test" relay via "lmtp://$dir/gone"
END_OF_CONF

for my $root ($> == 0 ? (1, 0) : 0) {
	my $as = $root ? 'as root' : 'as a user';
	my $d = Spoolkit->start(as_root => $root, conf => $conf);
	my $had = $mx->messages('one') + $mx->messages('two');

	$d->send('bob@here.example', "ann\@$_.test", "Subject: $_\n\nhello\n")
	    for qw(one two gone);
	ok $d->wait(sub { $mx->messages('one') + $mx->messages('two')
		== $had + 2 }, 60), "$as: delivered";
	ok $d->wait_log(qr{event=deferred .*gone.*No such file}, 60),
	    "$as: a socket that is not there is named";
	is scalar($d->queue), 1, "$as: and its mail waits";
	$d->stop;
}
done_testing;
