# Reads regress/qcrash/mutants, and builds a qcrash with one of them in it.
package Mutants;
use strict;
use warnings;

# Its compiler and its objects, as the Makefile left them.
sub flags {
	my ($build) = @_;
	open(my $in, '<', "$build/qcrash/flags") or die "flags: $!\n";
	return map { /^(\w+)=(.*)/ ? ($1 => $2) : () } <$in>;
}

sub slurp {
	open(my $in, '<', $_[0]) or die "$_[0]: $!\n";
	local $/;
	return scalar <$in>;
}

# Each: name, works, files => { name => [[old, new], ...] }.
sub all {
	my (@all, $file);
	open(my $in, '<', 'regress/qcrash/mutants') or die "mutants: $!\n";
	while (my $line = <$in>) {
		next if $line =~ /^(#.*)?$/;
		if ($line =~ /^mutant (\S+) (.+)$/) {
			push(@all, { name => $1, works => [split(' ', $2)] });
		} elsif ($line =~ /^in (\S+)$/) {
			$file = $1;
		} elsif ($line eq "<<<\n") {
			my @text = ('', '');
			my $i = 0;
			while (defined($line = <$in>) && $line ne "===\n") {
				if ($line eq ">>>\n") {
					$i++;
				} else {
					$text[$i] .= $line;
				}
			}
			chomp(@text);
			push(@{ $all[-1]{files}{$file} }, [@text]);
		} else {
			die "mutants: what is this? $line";
		}
	}
	return @all;
}

# A file of queue/ with its changes made; dies when a text is not there exactly
# once.
sub changed {
	my ($mutant, $file) = @_;
	my $text = slurp("queue/$file");

	for my $change (@{ $mutant->{files}{$file} }) {
		my ($old, $new) = @$change;
		my $there = () = $text =~ /\Q$old\E/g;
		die "mutant $mutant->{name}: queue/$file has its text "
		    . "$there times\n"
		    if $there != 1;
		$text =~ s/\Q$old\E/$new/;
	}
	return $text;
}

# The path of its program.
sub build {
	my ($build, $mutant) = @_;
	my %flags = flags($build);
	my $dir = "$build/qcrash/mutants";
	my (@objects, $run);

	mkdir($dir);
	for my $file (sort keys %{ $mutant->{files} }) {
		my $text = changed($mutant, $file);
		my $c = "$dir/$mutant->{name}-$file";
		open(my $out, '>', $c) or die "$c: $!\n";
		print $out $text;
		close($out) or die "$c: $!\n";
		(my $o = $c) =~ s/\.c$/.o/;
		$run = "$flags{CC} $flags{CFLAGS} -w -c -o $o $c";
		system($run) == 0 or die "mutant $mutant->{name}: $run\n";
		push(@objects, $o);
	}
	my $program = "$dir/$mutant->{name}";
	$run = "$flags{CC} $flags{LDFLAGS} -o $program $flags{OBJECTS} "
	    . "@objects -Wl,--start-group $flags{ARCHIVES} -Wl,--end-group "
	    . $flags{LIBS};
	system($run) == 0 or die "mutant $mutant->{name}: $run\n";
	unlink(@objects);
	return $program;
}

# Runs it until something is violated: (1 or 0, states, what).
sub hunt {
	my ($build, $mutant, $states, $seconds) = @_;
	my $program = build($build, $mutant);
	my ($sum, $said) = (0, '');

	for my $work (@{ $mutant->{works} }) {
		my $out = `QTRACE_LIB=$build/qcrash/libqtrace.so $program run \\
		    -x -s $states -i 4 -t $seconds $work 2>&1`;
		my $status = $? >> 8;
		$sum += $1 if $out =~ /^qcrash: (\d+) distinct states/m;
		$said = $1 if $out =~ /^VIOLATION (.*)/m;
		# A library that no longer works at all proves nothing.
		die "mutant $mutant->{name}: $work broke\n$out"
		    if $status != 0 && $status != 1;
		last if $status == 1;
	}
	unlink($program);
	return ($said ne '', $sum, $said);
}

1;
