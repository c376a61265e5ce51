#!/usr/bin/perl
# Keep the book of one symbol from a desk's feed, order by order, whatever is lost on the way.
#
# Usage: book_subscriber.pl [--gaps-max N] [RUN_DIR] [SYMBOL]
#
# It is here to show that docs/protocol.md is enough, in a language of which the desk knows nothing: its first version
# was written from that page before its author had seen anything else of the desk; since then it was tidied. After
# each message and each snapshot it prints a line as the examples' subscribers do: epoch, sequence, best bid / best
# ask as price:quantity, and a CRC-32 of all orders. It stops after more than N gaps within a minute (0: never).
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Getopt::Long qw(GetOptions);
use IO::Select;
use Wire qw(packed take crc32 now);

use constant { BOOK_ORDER => 32, BOOK_CHECKSUM => 37 };
use constant { STALE_S => 3, ASK_AGAIN_S => 0.25, CONNECT_AGAIN_S => 0.1, FIRST_PAUSE_S => 0.05 };

$| = 1;
$SIG{PIPE} = 'IGNORE';
my $gaps_max = 5;
GetOptions('gaps-max=i' => \$gaps_max) && @ARGV <= 2 or die "usage: book_subscriber.pl [--gaps-max N] [RUN_DIR] [SYMBOL]\n";
my ($run_dir, $symbol) = (@ARGV, ('run', 'BTCUSDT')[@ARGV .. 1]);
my $topic = "book.$symbol";

my ($epoch, $last) = (0, 0);    # what the book is of
my (%orders, @levels);          # [side, price, lots] by id; the ids in a queue by side and price
my ($is_waiting, $ask_at) = (0, 0);    # for a snapshot
my @held;                       # messages that came meanwhile
my @gaps;                       # when there was one, within the last minute
my ($heard_at, $is_stale) = (now(), 0);

# --- the book

# Take a BookOrder; return false if it contradicts the book.
sub apply ($id, $side, $price, $lots) {
    my $known = $orders{$id};
    return 0 if $known && ($known->[0] != $side || $known->[1] != $price);
    my $queue = $levels[$side]{$price} //= [];
    if ($known && $lots) { $known->[2] = $lots }
    elsif ($lots) {
        $orders{$id} = [$side, $price, $lots];
        push @$queue, $id;
    }
    elsif ($known) {
        delete $orders{$id};
        @$queue = grep { $_ != $id } @$queue;
    }
    delete $levels[$side]{$price} unless @$queue;
    return 1;
}

# Return the ten best levels of a side, best first, as price:lots.
sub best ($side) {
    my @prices = sort { $side ? $a <=> $b : $b <=> $a } keys %{$levels[$side]};
    my @texts;
    for my $price (splice @prices, 0, 10) {
        my $lots = 0;
        $lots += $orders{$_}[2] for @{$levels[$side]{$price}};
        push @texts, "$price:$lots";
    }
    return @texts;
}

sub show () {
    my @states;
    for my $side (0, 1) {
        for my $price (sort { $a <=> $b } keys %{$levels[$side]}) {
            push @states, map { [$_, $orders{$_}] } @{$levels[$side]{$price}};
        }
    }
    say join ' ', $epoch, $last, (best(0))[0] // (), '/', (best(1))[0] // (), crc32(packed(@states));
}

# --- what arrives

# The book can no longer be used: ask for a snapshot, the later the more often that was so.
sub lose_step ($why) {
    say "gap: $why after $epoch $last";
    my $now = now();
    @gaps = ((grep { $_ > $now - 60 } @gaps), $why eq 'another epoch' ? () : $now);
    die "we are slower than the feed\n" if $gaps_max && @gaps > $gaps_max;
    $is_waiting = 1;
    $ask_at = $now + (@gaps > 1 && $gaps_max ? FIRST_PAUSE_S * 2**(@gaps - 2) : 0);
}

# Take a feed message: [epoch, sequence, count, payload].
sub take_message ($message) {
    my ($sent_epoch, $sequence, $count, $payload) = @$message;
    if ($is_waiting) { push @held, $message; return }
    if ($sent_epoch != $epoch || $sequence > $last + 1) {
        @held = ($message);
        return lose_step($sent_epoch != $epoch ? 'another epoch' : 'messages are missing');
    }
    my $at = 0;
    for my $number ($sequence .. $sequence + $count - 1) {
        (my $fields, $at) = take(\$payload, $at) or die "expected $count messages\n";
        next if $number <= $last;
        my ($tag, @values) = @$fields;
        return lose_step('an order that moved') if $tag == BOOK_ORDER && !apply(@values[0 .. 3]);
        return lose_step('another checksum') if $tag == BOOK_CHECKSUM && $values[0] != crc32(join ',', best(0), best(1));
        $last = $number;
    }
    show();
}

# Take a snapshot, then what was held back: it may show that the snapshot is too old.
sub take_snapshot ($sent_epoch, $sequence, $count, $payload) {
    return unless $is_waiting;    # we asked twice
    (%orders, @levels) = ();
    @levels = ({}, {});
    my $at = 0;
    for (1 .. $count) {
        (my $fields, $at) = take(\$payload, $at) or die "expected $count messages\n";
        my ($tag, @values) = @$fields;
        return lose_step('an order that moved') if $tag == BOOK_ORDER && !apply(@values[0 .. 3]);
    }
    ($epoch, $last, $is_waiting) = ($sent_epoch, $sequence, 0);
    my @waiting = splice @held;
    return lose_step('another epoch') if grep { $_->[0] != $epoch } @waiting;    # which one is gone no number tells
    show();
    take_message($_) for @waiting;
}

# --- the two connections

my ($feed, $snapshots, $connect_at) = (undef, undef, 0);
while (1) {
    my $now = now();
    if ($now >= $connect_at) {
        $feed //= Wire::Zmtp->new("$run_dir/feed.ipc", 'SUB', "\1$topic");    # 1: subscribe
        $snapshots //= Wire::Zmtp->new("$run_dir/snapshots.ipc", 'DEALER');
        $connect_at = $now + CONNECT_AGAIN_S;
    }
    if ($is_waiting && $now >= $ask_at && $snapshots && $snapshots->is_ready) {
        $snapshots->send_frame($topic);
        $ask_at = $now + ASK_AGAIN_S;
    }
    if ($now > $heard_at + STALE_S && !$is_stale) {
        $is_stale = 1;
        say 'the desk is silent: this book is stale';
    }
    my @connected = grep { defined } $feed, $snapshots;
    if (!@connected) { select undef, undef, undef, CONNECT_AGAIN_S; next }
    for my $handle (IO::Select->new(map { $_->handle } @connected)->can_read(0.05)) {
        if ($feed && $handle == $feed->handle) {
            my $messages = $feed->receive;
            $feed = undef unless $messages;
            for my $message (@{$messages // []}) {
                my ($name, $header, $payload) = @$message;
                next if $name ne $topic;    # of a longer symbol that begins with ours
                ($heard_at, $is_stale) = (now(), 0);
                my ($fields) = take(\$header, 0);
                take_message([@$fields[0 .. 2], $payload]);
            }
        }
        else {
            my $messages = $snapshots->receive;
            $snapshots = undef unless $messages;
            for my $message (@{$messages // []}) {
                my ($name, $header, $payload) = @$message;
                die "the desk has no topic $name\n" unless length $header;
                my ($fields) = take(\$header, 0);
                take_snapshot(@$fields[0 .. 2], $payload);
            }
        }
    }
}
