package Broken;
# Spools as text: what is in the files of a spool, one after the other, so that
# a broken one can be kept in a source tree, which has no empty directories, no
# modes and no links. See regress/qtool/broken/README.
#
#   file NAME [mode=0644] [age=SECONDS]    then its lines:
#   |a line with its LF      <the same without one      %0D for a CR
#   =base64 of octets that are no text
#   dir NAME [mode=0755]     rmdir NAME
#   symlink NAME TARGET      link NAME OTHER      fifo NAME
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Path qw(make_path);
use MIME::Base64;
use POSIX qw(mkfifo);

our @EXPORT_OK = qw(crc32c envelope message tree unpack_spool pack_spool
    slurp spew flip file_of);

my @table = map {
	my $c = $_;
	$c = $c & 1 ? $c >> 1 ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
	$c;
} 0 .. 255;

sub crc32c {
	my $c = 0xffffffff;
	$c = $c >> 8 ^ $table[($c ^ $_) & 255] for unpack('C*', $_[0]);
	return $c ^ 0xffffffff;
}

# The text of an envelope; odd fields are given by name, undef leaves one out.
sub envelope {
	my ($id, %odd) = @_;
	my @lines = (
		id => $id, state => 'queued', kind => 'relay',
		action => 'relay-1', sender => 'ann@example.org',
		recipient => 'bob@example.net', destination => 'bob@example.net',
		from => 'smtp [192.0.2.14]:40112 helo mail.example.org',
		arrived => '2026-01-05T13:21:09Z',
		expires => '2036-01-05T13:21:09Z', tries => 0, generation => 1);
	my $text = "spool-envelope: 1\n";
	while (my ($name, $value) = splice(@lines, 0, 2)) {
		$value = delete $odd{$name} if exists $odd{$name};
		$text .= "$name: $value\n" if defined $value;
	}
	$text .= "$_: $odd{$_}\n" for sort keys %odd;
	return $text . sprintf("check: crc32c=%08x\n", crc32c($text));
}

# A message file with these envelopes in its record.
sub message {
	my ($id, @envelopes) = @_;
	my $record = join('', @envelopes);
	my $body = "Received: from mail.example.org by mx.example.net;\r\n"
	    . "\tMon, 5 Jan 2026 13:21:09 +0000\r\nSubject: $id\r\n\r\n"
	    . "This is $id.\r\n";
	my $line = sprintf("spoolkit-message 1 id=%s codec=%-16s "
	    . "arrived=2026-01-05T13:21:09Z record=%010d size=%010d",
	    $id, 'plain', length($record), length($body));
	return sprintf("%s crc32c=%08x\nsha256=%s\n\n%s\n%s", $line,
	    crc32c($line), sha256_hex($body . $record), $record, $body);
}

sub file_of { return 'queue/' . substr($_[0], 0, 2) . "/$_[0]" }

sub slurp {
	open(my $in, '<:raw', $_[0]) or die "$_[0]: $!";
	local $/;
	return scalar(<$in>) // '';
}

sub spew {
	my ($name, $text, $mode) = @_;
	unlink($name);
	open(my $out, '>:raw', $name) or die "$name: $!";
	print $out $text;
	close($out) or die "$name: $!";
	chmod($mode // 0600, $name) or die "$name: $!";
}

sub flip {
	my ($name, $at) = @_;
	my $text = slurp($name);
	substr($text, $at, 1) ^= "\1";
	spew($name, $text);
}

# An empty spool.
sub tree {
	my ($spool) = @_;
	my $old = umask(077);
	make_path(map { "$spool/$_" } qw(journal incoming corrupt trash
	    offline state), map { sprintf('queue/%02x', $_) } 0 .. 255);
	umask($old);
	spew("$spool/VERSION", "spoolkit-spool 1\n");
}

sub lines_of {
	my ($data) = @_;
	return '' if $data eq '';
	return join('', map { "=$_\n" } split(/\n/, encode_base64($data)))
	    if $data =~ /[^\r\n\t\x20-\x7e]/;
	my $out = '';
	for my $line ($data =~ /([^\n]*\n|[^\n]+\z)/g) {
		my $mark = $line =~ s/\n\z// ? '|' : '<';
		$line =~ s/([%\r\t]| \z)/sprintf('%%%02X', ord($1))/ge;
		$out .= "$mark$line\n";
	}
	return $out;
}

# The files named, as text.
sub pack_spool {
	my ($spool, @names) = @_;
	return join('', map { "file $_\n" . lines_of(slurp("$spool/$_")) }
	    @names);
}

sub end_file {
	my ($spool, $f) = @_;
	return if !defined $f->{name};
	my $path = "$spool/$f->{name}";
	make_path($path =~ s,/[^/]*$,,r, { mode => 0700 });
	spew($path, $f->{data}, oct($f->{mode} // '0600'));
	if (defined $f->{age}) {
		my $when = time() - $f->{age};
		utime($when, $when, $path) or die "$path: $!";
	}
}

sub unpack_spool {
	my ($text, $spool) = @_;
	my %file;
	tree($spool);
	for (split(/\n/, $text)) {
		if (/^([|<])(.*)/) {
			my ($mark, $line) = ($1, $2);
			$line =~ s/%([0-9A-F]{2})/chr(hex($1))/ge;
			$file{data} .= $line . ($mark eq '|' ? "\n" : '');
			next;
		}
		if (/^=(.*)/) {
			$file{data} .= decode_base64($1);
			next;
		}
		end_file($spool, \%file);
		%file = ();
		next if /^(#|$)/;
		my ($what, $name, @words) = split;
		my %w = map { /^(\w+)=(.*)/ ? ($1, $2) : ('', $_) } @words;
		my $path = "$spool/$name";
		if ($what eq 'file') {
			%file = (name => $name, data => '', %w);
		} elsif ($what eq 'dir') {
			-d $path or mkdir($path) or die "$path: $!";
			chmod(oct($w{mode} // '0700'), $path);
		} elsif ($what eq 'rmdir') {
			rmdir($path) or die "$path: $!";
		} elsif ($what eq 'symlink') {
			symlink($w{''}, $path) or die "$path: $!";
		} elsif ($what eq 'link') {
			link("$spool/$w{''}", $path) or die "$path: $!";
		} elsif ($what eq 'fifo') {
			mkfifo($path, 0600) or die "$path: $!";
		} else {
			die "what is $what?";
		}
	}
	end_file($spool, \%file);
}

1;
