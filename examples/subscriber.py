"""Keep the order book of a running desk, with pyzmq and msgpack alone, whatever is lost on the way.

Usage: python examples/subscriber.py [RUN_DIR] [SYMBOL]

For every message it prints the epoch and the sequence, the best bid and ask as price:quantity in ticks and lots, how
many orders there are, and a CRC-32 of them all. What it must do and why is in docs/protocol.md.
"""

import io
import sys
import zlib

import msgpack
import zmq


def apply(body, known):
    for tag, *fields in list(msgpack.Unpacker(io.BytesIO(body)))[known:]:
        if tag == 32 and fields[3]:  # BookOrder: a new id joins the back of its queue, a known one keeps its place
            orders[fields[0]] = fields[1:]
        elif tag == 32:
            orders.pop(fields[0], None)
        elif tag == 37 and fields[0] != crc32(levels(0)[:10] + levels(1)[:10]):  # BookChecksum
            return False
    return True


def levels(side):
    lots_at = {}
    for _, price, lots in (order for order in orders.values() if order[0] == side):
        lots_at[price] = lots_at.get(price, 0) + lots
    return [f"{price}:{lots_at[price]}" for price in sorted(lots_at, reverse=side == 0)]


def crc32(parts):
    return zlib.crc32(",".join(parts).encode())


run_dir, symbol = (*sys.argv[1:], *("run", "BTCUSDT")[len(sys.argv) - 1 :])
topic = f"book.{symbol}".encode()
feed, snapshots = map(zmq.Context.instance().socket, (zmq.SUB, zmq.DEALER))
feed.rcvhwm = 100_000  # messages that may wait for us
feed.connect(f"ipc://{run_dir}/feed.ipc")
feed.subscribe(topic)
snapshots.connect(f"ipc://{run_dir}/snapshots.ipc")
epoch, last, orders = 0, 0, {}  # orders: by id [side, price, lots]; those of one price stand in their queue's order
while True:
    if not feed.poll(3_000):
        print("the desk is silent: this book is stale", flush=True)
    name, header, body = feed.recv_multipart()
    sent_epoch, sequence, count, _ = msgpack.unpackb(header)
    if name != topic:
        continue  # of a longer symbol that begins with ours
    while (sent_epoch, sequence) > (epoch, last + 1):  # something is missing; what comes meanwhile waits in its socket
        snapshots.send(topic)
        if not snapshots.poll(250):
            break  # ask again at the next message
        _, snapshot_header, state = snapshots.recv_multipart()
        epoch, last, *_ = msgpack.unpackb(snapshot_header)
        orders = {}
        apply(state, 0)
    else:
        if sent_epoch == epoch and not apply(body, last + 1 - sequence):
            epoch = 0  # our book is not the engine's
        elif sent_epoch == epoch:  # else it is of an engine that is gone
            last = max(last, sequence + count - 1)
            bid, ask = ((*levels(side), "-")[0] for side in (0, 1))
            queues = sorted(orders.items(), key=lambda item: item[1][:2])
            state = [f"{order_id}:{side}:{price}:{lots}" for order_id, (side, price, lots) in queues]
            print(epoch, last, bid, ask, len(orders), crc32(state), flush=True)
