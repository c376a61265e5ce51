#!/usr/bin/perl
# Trade at random over a desk's TCP gateway, lose the connection at random bytes, and keep account of the open orders.
#
# Usage: order_client.pl --port P --name NAME --price TICKS [--count N] [--seed S] [--cuts FRACTION] [--rate PER_S]
#
# It is here to show that docs/protocol.md is enough, in a language of which the desk knows nothing: its first version
# was written from that page before its author had seen anything else of the desk; since then it was tidied. It gives
# N commands that an engine has taken: orders of all kinds around the price, amends, cancels, mass cancels. After that
# fraction of them it hangs up, in the middle of what it sends or of what it reads. Then it goes on reading, as its
# orders may trade, until it gets SIGTERM, and logs out; its orders stay, one at least. It prints:
#   sent ID                                   a new order, once
#   report TAG FIELD...                       a report, when it is new
#   again TAG FIELD...                        one that came again
#   settled                                   all of its commands are answered
#   open ID SIDE PRICE LEAVES SHOWN FILLED    at the end: what is open, by the reports alone
#   last SEQUENCE CONNECTIONS                 the end
# A report that contradicts the account ends the program.
use v5.20;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';
use Errno qw(EAGAIN);
use File::Basename qw(dirname);
use lib dirname(__FILE__);
use Getopt::Long qw(GetOptions);
use IO::Socket::INET;
use List::Util qw(max min);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Wire qw(packed take now);

use constant { NEW_ORDER => 1, CANCEL_ORDER => 2, AMEND_ORDER => 3, MASS_CANCEL => 4 };
use constant { ACCEPTED => 16, RESTED => 17, EXECUTED => 18, CANCELED => 19, AMENDED => 20, TRIGGERED => 21, REJECTED => 22 };
use constant { INSTRUMENT_DEFINITION => 35, LOGON => 48, LOGGED_ON => 49, HEARTBEAT => 50, LOGOUT => 51 };
use constant { UNKNOWN_ORDER => 1, ENGINE_UNAVAILABLE => 20, RATE_LIMIT => 21, IDLE => 31, GATEWAY_STOPS => 33 };
use constant { LIMIT => 0, MARKET => 1, POST_ONLY => 2 };
use constant { RECONNECT_S => 0.1, PAUSE_S => 0.2, ANSWER_S => 150, OPEN_MAX => 40, WIDTH_TICKS => 40 };

$| = 1;
$SIG{PIPE} = 'IGNORE';
my %option = (host => '127.0.0.1', symbol => 'BTCUSDT', count => 300, seed => 1, cuts => 0.05, rate => 200);
GetOptions(\%option, map { "$_=s" } qw(host port name token symbol price count seed cuts rate)) && !@ARGV
    && $option{port} && $option{name} && $option{price} or die "usage: order_client.pl --port P --name NAME --price TICKS ...\n";
srand $option{seed};

my ($socket, $input, $output, $is_logged_on);
my ($connect_at, $heard_at, $sent_at, $idle_s) = (0, 0, 0, 30);
my ($cut_input, $cut_output);      # the connection is lost after so many bytes
my ($symbol_id, $last_sequence, $last_id, $connections) = (undef, 0, 0, 0);
my %orders;                        # what is open, by id: side, price, leaves, shown, filled
my (%unanswered, %cancels, %amends);    # by id: what was sent and is not answered; for an order and an amend its fields
my $mass_cancel_after;             # the last order before a mass cancel that may still be on its way
my ($missed_up_to, $is_missing);   # reports that come again after a logon; what may be lost is said again behind them
my ($pause_until, $is_over) = (0, 0);
my $put_off = 0;                   # commands that were refused because the engine was away: so many more are given

# --- the connection

sub connect_again () {
    $connect_at = now() + RECONNECT_S;
    $socket = IO::Socket::INET->new(PeerAddr => $option{host}, PeerPort => $option{port}, Timeout => 2) or return;
    $socket->blocking(0);
    $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    ($input, $output, $heard_at, $is_logged_on) = ('', '', now(), 0);
    $connections++;
    send_message(LOGON, \$option{name}, \($option{token} // ''), $last_sequence);
}

sub hang_up ($why) {
    say "# $why";
    close $socket;
    ($socket, $is_logged_on, $cut_input, $cut_output) = ();
}

sub send_message (@fields) {
    $output .= packed(@fields);
    $sent_at = now();
}

# Send what the socket takes and take what it has, waiting for at most so many seconds.
sub turn ($wait_s) {
    connect_again() if !$socket && now() >= $connect_at;
    if (!$socket) { select undef, undef, undef, 0.02; return }
    send_message(HEARTBEAT, $last_sequence) if $is_logged_on && now() > $sent_at + $idle_s / 3;
    say_again() if $is_logged_on;
    my ($readable, $writable) = ('', '');
    vec($readable, fileno $socket, 1) = 1;
    vec($writable, fileno $socket, 1) = 1 if length $output;
    if (select($readable, $writable, undef, $wait_s) <= 0) {
        hang_up('nothing is heard') if now() > $heard_at + $idle_s;
        return;
    }
    write_some() if vec $writable, fileno $socket, 1;
    read_some() if $socket && vec $readable, fileno $socket, 1;
}

sub write_some () {
    my $size = syswrite $socket, $output, min(length $output, $cut_output // length $output);
    return $!{EAGAIN} || hang_up("lost: $!") unless defined $size;
    substr $output, 0, $size, '';
    hang_up('cut while it writes') if defined $cut_output && ($cut_output -= $size) <= 0;
}

sub read_some () {
    my $size = sysread $socket, $input, $cut_input // 65536, length $input;
    return $!{EAGAIN} || hang_up("lost: $!") unless defined $size;
    return hang_up('the gateway has hung up') unless $size;
    $heard_at = now();
    my $at = 0;
    while ($socket && (my ($fields, $end) = take(\$input, $at))) {
        $at = $end;
        take_message(@$fields);
    }
    return unless $socket;
    substr $input, 0, $at, '';
    hang_up('cut while it reads') if defined $cut_input && ($cut_input -= $size) <= 0;
}

# Keep the connection going until something is so.
sub until_so ($what, $condition) {
    my $deadline = now() + ANSWER_S;
    until ($condition->()) {
        die "not in time: $what\n" if now() > $deadline;
        turn(0.02);
    }
}

# --- what the client says; all of it may be said again

sub enter ($id, @fields) {
    $unanswered{$id} = \@fields;
    $last_id = $id;
    say "sent $id";
    send_message(NEW_ORDER, $id, @fields) if $is_logged_on;
}

sub cancel ($id) {
    $cancels{$id} = 1;
    send_message(CANCEL_ORDER, $id, $symbol_id) if $is_logged_on;
}

sub amend ($id, $price, $qty, $expected_leaves) {
    $amends{$id} = [$price, $qty];
    send_message(AMEND_ORDER, $id, $symbol_id, $price, $qty, 0, 0, $expected_leaves) if $is_logged_on;
}

sub cancel_all () {
    $mass_cancel_after = $last_id;
    send_message(MASS_CANCEL) if $is_logged_on;
}

# --- what the gateway says

sub take_message ($tag, @fields) {
    if ($tag == INSTRUMENT_DEFINITION) { $symbol_id = $fields[0] if $fields[1] eq $option{symbol} }
    elsif ($tag == LOGGED_ON) { take_logged_on(@fields) }
    elsif ($tag == HEARTBEAT) { hang_up('reports are missing') if $is_logged_on && ($fields[0] // 0) > $last_sequence }
    elsif ($tag == LOGOUT) {
        my $reason = $fields[0] // 0;
        die "the session is over: $reason\n" unless !$reason || $reason == IDLE || $reason == GATEWAY_STOPS;
        $is_over = !$reason;
        hang_up("Logout, reason $reason");
    }
    elsif ($tag >= ACCEPTED && $tag <= REJECTED) { take_report($tag, @fields) }
}

sub take_logged_on ($next_sequence, $first_sequence, $last_order_id, $open_orders, $idle_ms, @) {
    die "the gateway has forgotten the session\n" if $next_sequence <= $last_sequence;
    die "reports before $first_sequence are lost\n" if $first_sequence > $last_sequence + 1;
    ($is_logged_on, $idle_s, $last_id) = (1, $idle_ms / 1000, max($last_id, $last_order_id));
    send_message(NEW_ORDER, $_, @{$unanswered{$_}}) for sort { $a <=> $b } keys %unanswered;
    ($missed_up_to, $is_missing) = ($next_sequence - 1, 1);
}

# After all that was missed: what may have been lost on its way, if it still makes sense.
sub say_again () {
    return unless $is_missing && $last_sequence >= $missed_up_to && now() > $pause_until;
    $is_missing = 0;
    cancel($_) for sort { $a <=> $b } keys %cancels;
    for my $id (sort { $a <=> $b } keys %amends) {
        if ($orders{$id}) { amend($id, @{$amends{$id}}, $orders{$id}{leaves}) }
        else { delete $amends{$id} }
    }
    send_message(MASS_CANCEL) if defined $mass_cancel_after;
}

sub take_report ($tag, $sequence, $time_ns, @fields) {
    my $line = join ' ', $tag, $sequence, $time_ns, @fields;
    if ($sequence && $sequence <= $last_sequence) { say "again $line"; return }
    return hang_up("we have lost our place: $sequence after $last_sequence") if $sequence > $last_sequence + 1;
    $last_sequence = $sequence || $last_sequence;
    say "report $line";
    if ($tag == EXECUTED) { take_trade(@fields) }
    elsif ($tag == REJECTED) { take_refusal($sequence, @fields) }
    elsif ($tag == ACCEPTED) { take_accepted(@fields) }
    else { take_change($tag, @fields) }
}

sub take_accepted ($symbol, $id, $owner, $side, $price, $qty, $type, $time_in_force, $shown, @) {
    die "order $id was accepted twice\n" if $orders{$id} || !delete $unanswered{$id};
    undef $mass_cancel_after if defined $mass_cancel_after && $id > $mass_cancel_after;    # answers come in order
    $orders{$id} = {side => $side, price => $price, leaves => $qty, shown => $shown, filled => 0};
}

sub take_trade ($symbol, $trade_id, $price, $qty, $side, $taker, $, $taker_leaves, $maker, $, $maker_leaves, @) {
    my ($id, $leaves) = $taker ? ($taker, $taker_leaves) : ($maker, $maker_leaves);
    reduce($id, $qty, $leaves, $maker);
    $orders{$id}{filled} += $qty if $orders{$id};
}

sub take_change ($tag, $symbol, $id, $owner, @fields) {
    if ($tag == CANCELED) {    # [side, price, qty, leaves, reason]
        delete $cancels{$id} unless $fields[3];
        return if delete $unanswered{$id};    # it was never told otherwise
        reduce($id, $fields[2], $fields[3], 1);
        return;
    }
    my $order = $orders{$id} // die "order $id is not open: $tag @fields\n";
    if ($tag == AMENDED) {     # [side, price, leaves, shown]
        @$order{qw(price leaves shown)} = @fields[1, 2, 3];
        delete $amends{$id};
    }
    elsif ($tag == RESTED) {    # [side, price, shown, leaves]
        die "order $id rests with $fields[3], expected $order->{leaves}\n" if $fields[3] != $order->{leaves};
        @$order{qw(price shown)} = @fields[1, 2];
    }
}

# So much of an order is no longer open; of what the book shows, too, if that is where it was.
sub reduce ($id, $qty, $leaves, $is_shown) {
    my $order = $orders{$id} // die "order $id is not open: $qty gone, $leaves left\n";
    die "order $id: $leaves left, expected $order->{leaves} - $qty\n" if $order->{leaves} - $qty != $leaves;
    $order->{leaves} = $leaves;
    $order->{shown} = max(0, $order->{shown} - $qty) if $is_shown;
    delete $orders{$id} unless $leaves;
}

sub take_refusal ($sequence, $symbol, $id, $owner, $command, $reason, @) {
    my $is_passing = $reason == ENGINE_UNAVAILABLE || $reason == RATE_LIMIT;
    ($pause_until, $put_off) = (now() + PAUSE_S, $put_off + 1) if $is_passing;
    if ($command == NEW_ORDER) { delete $unanswered{$id} }
    elsif ($command == AMEND_ORDER) { delete $amends{$id} }
    elsif ($command == CANCEL_ORDER) {
        die "the engine does not know order $id\n" if $reason == UNKNOWN_ORDER && $orders{$id};
        delete $cancels{$id} unless $is_passing && ($is_missing = 1);    # it is said again by say_again
    }
    elsif ($command != MASS_CANCEL) { die "the connection is refused: reason $reason\n" }
}

# --- the random commands

sub one_of (@choices) { return $choices[rand @choices] }

sub enter_one () {
    my $side = int rand 2;
    my $price = $option{price} + int(rand WIDTH_TICKS * 2) - WIDTH_TICKS + ($side ? 1 : -1) * WIDTH_TICKS / 2;
    my $qty = 1 + int rand 100;
    my ($type, $time_in_force, $display, $trigger, $trigger_price) = (LIMIT, 0, 0, 0, 0);
    my $draw = rand;
    if ($draw < 0.05) { ($type, $price) = (MARKET, 0) }
    elsif ($draw < 0.15) { $type = POST_ONLY }
    elsif ($draw < 0.25) { $time_in_force = one_of(1, 2) }
    elsif ($draw < 0.45) { $display = max(1, int $qty / one_of(2, 3, 5)) }
    elsif ($draw < 0.55) { ($trigger, $trigger_price) = (one_of(1, 2), $option{price} + int(rand WIDTH_TICKS) - WIDTH_TICKS / 2) }
    enter($last_id + 1 + int(rand 2), $symbol_id, $side, $price, $qty, $type, $time_in_force, int(rand 5),
        $display, $trigger, $trigger_price);
}

sub act ($number) {
    my @idle = grep { !$cancels{$_} && !$amends{$_} } sort { $a <=> $b } keys %orders;
    my $draw = rand;
    if ($draw < 0.01 && $number < $option{count} * 0.8) { cancel_all() }    # many are to be open at the end
    elsif (@idle > OPEN_MAX || @idle && $draw < 0.2) { cancel(one_of(@idle)) }
    elsif (@idle && $draw < 0.4) {
        my $id = one_of(@idle);
        my ($price, $leaves) = @{$orders{$id}}{qw(price leaves)};
        $price += int(rand 11) - 5 if $price && rand() < 0.5;
        amend($id, $price, max(1, int $leaves * (0.5 + rand)), one_of(0, $leaves, $leaves));
    }
    else { enter_one() }
}

# Answers come in the order of the commands: once a cancel that does nothing is answered, all before it is done.
sub settle () {
    until_so('all is answered', sub { $is_logged_on && !$is_missing && !%unanswered && !%cancels && !%amends });
    cancel(my $fence = $last_id + 1);
    until_so('the last answer', sub { !$cancels{$fence} });
}

my $cuts_due = 0;    # counted, not diced: how often it is cut is no matter of chance
until_so('the logon', sub { $is_logged_on });
for (my $number = 1; $number <= $option{count} + $put_off; $number++) {
    until_so('the gateway answers', sub { $is_logged_on && now() > $pause_until });
    act($number);
    $cuts_due += $option{cuts};
    if ($cuts_due >= 1 && !defined $cut_input && !defined $cut_output) { $cuts_due--; rand() < 0.5 ? $cut_input = 1 + int rand 300 : ($cut_output = 1 + int rand 60) }
    my $next_at = now() + 1 / $option{rate};
    do { turn(1 / $option{rate}) } while now() < $next_at;
}
# Something is to be open at the end, whatever traded: far from the price, and more than all market orders together.
my $kept;
do {
    until_so('the gateway answers', sub { $is_logged_on && now() > $pause_until });
    enter($kept = $last_id + 1, $symbol_id, 0, $option{price} - 100 * WIDTH_TICKS, 100 * $option{count}, LIMIT, (0) x 5);
    settle();
} until $orders{$kept};
my $is_ending = 0;
$SIG{TERM} = sub { $is_ending = 1 };
say 'settled';
turn(0.05) until $is_ending;
settle();    # what others did before the signal is behind us, too
for my $id (sort { $a <=> $b } keys %orders) {
    say join ' ', 'open', $id, @{$orders{$id}}{qw(side price leaves shown filled)};
}
my $told = 0;    # the connection on which we have said goodbye
until_so('the goodbye', sub {
    send_message(LOGOUT) if $is_logged_on && $told != $connections && ($told = $connections);
    return $is_over;
});
say "last $last_sequence $connections";
