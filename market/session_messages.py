"""What a TCP client and the gateway say about their session itself, beside orders and reports. Fields in wire order."""

from typing import NamedTuple

from market import fields


class Logon(NamedTuple):
    """Begin or resume the session of this name; the first message of a connection, or of none.

    `last_sequence` is the number of the last report that the client has, 0 for none: what came after it is sent again.
    With `is_cancel_on_disconnect` 1 its open orders are cancelled whenever its connection is gone.
    """

    client_id: fields.Name
    token: fields.Text = ""
    last_sequence: fields.Sequence = 0
    is_cancel_on_disconnect: fields.Flag = 0


class LoggedOn(NamedTuple):
    """The session is open; what the client missed follows.

    `next_sequence` numbers the next new report, and `first_sequence` the oldest that is still kept. `last_order_id` is
    the highest order id that the session has used, `open_orders` counts what may still be open. A client that is not
    heard of for `idle_ms` is hung up on.
    """

    next_sequence: fields.Sequence
    first_sequence: fields.Sequence
    last_order_id: fields.OrderIdOrNone
    open_orders: fields.Count
    idle_ms: fields.Milliseconds


class Heartbeat(NamedTuple):
    """I am here; `last_sequence` is the number of the last report that I have seen (client) or sent (gateway)."""

    last_sequence: fields.Sequence = 0


class Logout(NamedTuple):
    """The connection ends; `reason` 0: as wished.

    With `is_final` 1 a client gives its session up: what is open is cancelled, and its name is forgotten.
    """

    reason: fields.Code = 0
    is_final: fields.Flag = 0


SessionMessage = Logon | LoggedOn | Heartbeat | Logout
