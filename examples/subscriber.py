"""Keep the order book of a running desk, with pyzmq and msgpack alone, whatever is lost on the way.

Usage: python examples/subscriber.py [RUN_DIR] [SYMBOL]

For every message it prints the epoch and the sequence, best bid / best ask as price:quantity in ticks and lots, and a
CRC-32 of all orders. What it must do and why is in docs/protocol.md.
"""

import io
import signal
import sys
import zlib

import msgpack
import zmq


def levels(side, count):  # the best ones, best first
    prices = sorted({price for its_side, price, _ in orders.values() if its_side == side}, reverse=side == 0)
    return [f"{best}:{sum(lots for _, price, lots in orders.values() if price == best)}" for best in prices[:count]]


signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C just ends it
run_dir, symbol = (*sys.argv[1:], *("run", "BTCUSDT")[len(sys.argv) - 1 :])
topic = f"book.{symbol}".encode()
feed, snapshots = map(zmq.Context.instance().socket, (zmq.SUB, zmq.REQ))
snapshots.req_relaxed = snapshots.req_correlate = 1  # it may ask again, and an answer that comes too late is dropped
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
    if sent_epoch != epoch or sequence > last + 1:  # something is missing; the snapshot has this message as well
        snapshots.send(topic)
        if not snapshots.poll(250):
            continue  # ask again at the next message
        _, header, body = snapshots.recv_multipart()  # what comes meanwhile waits in its socket
        epoch, last, *_ = msgpack.unpackb(header)
        orders, sequence, count = {}, last + 1, 0
    for tag, *fields in list(msgpack.Unpacker(io.BytesIO(body)))[last + 1 - sequence :]:  # without what we have
        if tag == 32 and fields[3]:  # BookOrder: a new id joins the back of its queue, a known one keeps its place
            orders[fields[0]] = fields[1:]
        elif tag == 32:
            orders.pop(fields[0], None)
        elif tag == 37 and fields[0] != zlib.crc32(",".join(levels(0, 10) + levels(1, 10)).encode()):
            epoch = 0  # BookChecksum: our book is not the engine's, the next message asks for a snapshot
    last = max(last, sequence + count - 1)
    if epoch:
        queues = sorted(orders.items(), key=lambda order: order[1][:2])  # each queue stays in its order
        print(epoch, last, *levels(0, 1), "/", *levels(1, 1), zlib.crc32(msgpack.packb(queues)), flush=True)
