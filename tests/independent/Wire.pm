# The wire of a desk without a library: msgpack as docs/protocol.md uses it, ZMTP 3.0 over a Unix socket, CRC-32, a clock.
#
# It follows docs/protocol.md, the msgpack specification and ZMTP's (RFC 23), and needs nothing but Debian's perl-base.
package Wire;
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';
use Exporter 'import';
use IO::Socket::UNIX;
use POSIX ();

our @EXPORT_OK = qw(packed take crc32 now);

# Return an array as bytes: of integers, of texts, which are given as references, and of arrays.
sub packed (@fields) {
    my $count = @fields;
    my $head = $count < 16 ? pack('C', 0x90 | $count) : $count < 0x10000 ? pack('Cn', 0xdc, $count) : pack('CN', 0xdd, $count);
    return $head . join '', map { ref eq 'ARRAY' ? packed(@$_) : ref ? packed_text($$_) : packed_int($_) } @fields;
}

sub packed_int ($n) {
    return $n >= -32 ? pack('c', $n) : pack('Cq>', 0xd3, $n) if $n < 0;
    return pack 'C', $n if $n < 0x80;
    return pack 'CC', 0xcc, $n if $n < 0x100;
    return pack 'Cn', 0xcd, $n if $n < 0x10000;
    return pack 'CN', 0xce, $n if $n < 2**32;
    return pack 'CQ>', 0xcf, $n;
}

sub packed_text ($text) {
    return length $text < 32 ? pack('Ca*', 0xa0 | length $text, $text) : pack('CC/a*', 0xd9, $text);
}

my %INTEGERS = (    # by first byte: how unpack reads what follows, and its size
    0xcc => ['C', 1], 0xcd => ['n', 2], 0xce => ['N', 4], 0xcf => ['Q>', 8],
    0xd0 => ['c', 1], 0xd1 => ['s>', 2], 0xd2 => ['l>', 4], 0xd3 => ['q>', 8],
);
my %ARRAYS = (0xdc => ['n', 2], 0xdd => ['N', 4]);
my %TEXTS = (0xd9 => ['C', 1], 0xda => ['n', 2], 0xdb => ['N', 4]);

# Return the array at a position of a buffer and the position behind it; nothing if a part of it is still to come.
sub take ($buffer, $at) {
    my $number = sub ($format) {    # a number of that format; nothing at the end of the buffer
        my ($letters, $size) = @$format;
        return if $at + $size > length $$buffer;
        $at += $size;
        return unpack $letters, substr $$buffer, $at - $size, $size;
    };
    my $byte = $number->(['C', 1]) // return;
    my $count = ($byte & 0xf0) == 0x90 ? $byte & 15 : $number->($ARRAYS{$byte} // die "expected an array, was $byte\n");
    my @fields;
    return unless defined $count;
    while ($count--) {
        $byte = $number->(['C', 1]) // return;
        if ($byte < 0x80 || $byte >= 0xe0) { push @fields, $byte < 0x80 ? $byte : $byte - 0x100 }
        elsif ($INTEGERS{$byte}) { push @fields, $number->($INTEGERS{$byte}) // return }
        else {
            my $format = $TEXTS{$byte};
            my $size = ($byte & 0xe0) == 0xa0 ? $byte & 31 : $number->($format // die "expected a field, was $byte\n");
            return if !defined $size || $at + $size > length $$buffer;
            push @fields, substr $$buffer, $at, $size;
            $at += $size;
        }
    }
    return \@fields, $at;
}

my @CRCS = map { my $crc = $_; $crc = $crc & 1 ? 0xedb88320 ^ ($crc >> 1) : $crc >> 1 for 1 .. 8; $crc } 0 .. 255;

# Return the CRC-32 of bytes, as zlib reckons it.
sub crc32 ($bytes) {
    my $crc = 0xffffffff;
    $crc = $CRCS[($crc ^ $_) & 255] ^ ($crc >> 8) for unpack 'C*', $bytes;
    return $crc ^ 0xffffffff;
}

my $TICKS_PER_S = POSIX::sysconf(POSIX::_SC_CLK_TCK());

# Return seconds that only go forward.
sub now () { return (POSIX::times())[0] / $TICKS_PER_S }

# A ZeroMQ socket's one connection, mechanism NULL. What is written is little: it is written whole.
package Wire::Zmtp;

use constant { MORE => 1, LONG => 2, COMMAND => 4, GREETING_SIZE => 64 };

# Connect; return nothing if nobody listens. The messages (of one frame each) are sent as soon as the other end is ready.
sub new ($class, $path, $type, @messages) {
    my $handle = IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $path) or return;
    my $self = bless { handle => $handle, type => $type, messages => \@messages, input => '', frames => [] }, $class;
    $self->_write(pack 'Cx8C CC a20 C x31', 0xff, 0x7f, 3, 0, 'NULL', 0);
    return $self;
}

sub handle ($self) { return $self->{handle} }
sub is_ready ($self) { return $self->{is_ready} }
sub send_frame ($self, $body) { return $self->_write_frame(0, $body) }

sub _write ($self, $bytes) {
    while (length $bytes) {
        my $size = syswrite($self->{handle}, $bytes) // return;    # the end of the stream is seen by whoever reads
        substr $bytes, 0, $size, '';
    }
}

sub _write_frame ($self, $flags, $body) {
    my $size = length $body;
    $self->_write(($size < 256 ? pack('CC', $flags, $size) : pack('CQ>', $flags | LONG, $size)) . $body);
}

# Return the messages that have arrived, as lists of frames; nothing if the connection is gone.
sub receive ($self) {
    sysread($self->{handle}, $self->{input}, 1 << 18, length $self->{input}) or return;
    if (!$self->{is_greeted}) {
        return [] if length $self->{input} < GREETING_SIZE;
        my ($first, $version, $mechanism) = unpack 'Cx9Cx Z20', substr $self->{input}, 0, GREETING_SIZE, '';
        die "expected ZMTP 3 and NULL, were $first, $version, $mechanism\n"
            unless $first == 0xff && $version >= 3 && $mechanism eq 'NULL';
        my @properties = (['Socket-Type', $self->{type}], $self->{type} eq 'DEALER' ? ['Identity', ''] : ());
        $self->_write_frame(COMMAND, "\5READY" . join '', map { pack 'C/a* N/a*', @$_ } @properties);
        $self->{is_greeted} = 1;
    }
    my ($at, @messages) = (0);
    while (length($self->{input}) >= $at + 2) {
        my ($flags, $size) = unpack 'CC', substr $self->{input}, $at, 2;
        my $head = $flags & LONG ? 9 : 2;
        last if length($self->{input}) < $at + $head;
        $size = unpack 'Q>', substr $self->{input}, $at + 1, 8 if $flags & LONG;
        last if length($self->{input}) < $at + $head + $size;
        my $body = substr $self->{input}, $at + $head, $size;
        $at += $head + $size;
        if ($flags & COMMAND) { $self->_take_command(unpack 'C/a a*', $body); next }
        push @{$self->{frames}}, $body;
        next if $flags & MORE;
        push @messages, $self->{frames};
        $self->{frames} = [];
    }
    substr $self->{input}, 0, $at, '';
    return \@messages;
}

sub _take_command ($self, $name, $rest) {
    if ($name eq 'READY') {
        $self->{is_ready} = 1;
        $self->send_frame($_) for @{$self->{messages}};
    }
    elsif ($name eq 'PING') { $self->_write_frame(COMMAND, "\4PONG" . substr $rest, 2) }
    elsif ($name eq 'ERROR') { die "the other end refuses: $rest\n" }
}

1;
