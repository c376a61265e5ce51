// Keep the order book of a running desk, with zeromq and @msgpack/msgpack alone, whatever is lost on the way.
//
// Usage: npm ci --prefix examples && node examples/subscriber.mjs [RUN_DIR] [SYMBOL]
//
// It is subscriber.py in JavaScript, and prints the same.

import { decode, decodeMulti, encode } from "@msgpack/msgpack";
import { Request, Subscriber } from "zeromq";

const exact = { useBigInt64: true }; // an epoch has more digits than a Number

function levels(wanted, count) {
  const lotsAt = new Map();
  for (const [side, price, lots] of orders.values())
    if (side === wanted) lotsAt.set(price, (lotsAt.get(price) ?? 0) + lots);
  const bestFirst = [...lotsAt].sort(([a], [b]) => (wanted ? a - b : b - a));
  return bestFirst.slice(0, count).map((level) => level.join(":"));
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 && 0xedb88320);
  }
  return ~crc >>> 0;
}

function unpackHeader(bytes) {
  const [epoch, sequence, count] = decode(bytes, exact);
  return [BigInt(epoch), Number(sequence), Number(count)];
}

async function receive(socket) {
  try {
    return await socket.receive();
  } catch (error) {
    if (error.code === "EAGAIN") return []; // nothing came in time
    throw error;
  }
}

const [runDir = "run", symbol = "BTCUSDT"] = process.argv.slice(2);
const topic = `book.${symbol}`;
const feed = new Subscriber({ receiveTimeout: 3_000 });
const snapshots = new Request({ receiveTimeout: 250, relaxed: true, correlate: true }); // it may ask again
feed.connect(`ipc://${runDir}/feed.ipc`);
feed.subscribe(topic);
snapshots.connect(`ipc://${runDir}/snapshots.ipc`);
let [epoch, last, orders] = [0n, 0, new Map()]; // the orders of one price stand in their queue's order
for (;;) {
  let [name, header, body] = await receive(feed);
  if (name === undefined) console.log("the desk is silent: this book is stale");
  if (name?.toString() !== topic) continue; // nothing, or of a longer symbol that begins with ours
  let [sentEpoch, sequence, count] = unpackHeader(header);
  if (sentEpoch !== epoch || sequence > last + 1) {
    await snapshots.send(topic); // something is missing; the snapshot has this message as well
    [, header, body] = await receive(snapshots); // what comes meanwhile waits in its socket
    if (body === undefined) continue; // ask again at the next message
    [epoch, last] = unpackHeader(header);
    [orders, sequence, count] = [new Map(), last + 1, 0];
  }
  for (const [tag, ...fields] of [...decodeMulti(body, exact)].slice(last + 1 - sequence)) {
    const [id, ...order] = fields.map(Number);
    if (tag === 32 && order[2]) orders.set(id, order); // BookOrder: a known id keeps its place in its queue
    else if (tag === 32) orders.delete(id);
    else if (tag === 37 && id !== crc32(Buffer.from([...levels(0, 10), ...levels(1, 10)].join()))) epoch = 0n; // BookChecksum
  }
  last = Math.max(last, sequence + count - 1);
  if (!epoch) continue; // our book is not the engine's: the next message asks for a snapshot
  const queues = [...orders].sort(([, a], [, b]) => a[0] - b[0] || a[1] - b[1]);
  console.log([epoch, last, ...levels(0, 1), "/", ...levels(1, 1), crc32(encode(queues))].join(" "));
}
