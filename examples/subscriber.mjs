// Keep the order book of a running desk, with zeromq and @msgpack/msgpack alone, whatever is lost on the way.
//
// Usage: npm ci --prefix examples && node examples/subscriber.mjs [RUN_DIR] [SYMBOL]
//
// It is subscriber.py in JavaScript, and prints the same.

import { decode, decodeMulti } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";

const exact = { useBigInt64: true }; // an epoch has more digits than a Number

function apply(body, known) {
  for (const [tag, ...fields] of [...decodeMulti(body, exact)].slice(known)) {
    if (tag !== 32 && tag !== 37) continue;
    const [id, side, price, lots] = fields.map(BigInt);
    if (tag === 32 && lots) orders.set(id, { side, price, lots }); // BookOrder: a known id keeps its place in its queue
    else if (tag === 32) orders.delete(id);
    else if (Number(id) !== crc32([...levels(0n).slice(0, 10), ...levels(1n).slice(0, 10)])) return false; // BookChecksum
  }
  return true;
}

function levels(wanted) {
  const lotsAt = new Map();
  for (const { side, price, lots } of orders.values())
    if (side === wanted) lotsAt.set(price, (lotsAt.get(price) ?? 0n) + lots);
  const bestFirst = [...lotsAt].sort(([a], [b]) => Number(wanted ? a - b : b - a));
  return bestFirst.map((level) => level.join(":"));
}

function crc32(parts) {
  let crc = -1;
  for (const byte of Buffer.from(parts.join())) {
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
const feed = new Subscriber({ receiveTimeout: 3_000, receiveHighWaterMark: 100_000 });
const snapshots = new Dealer({ receiveTimeout: 250 });
feed.connect(`ipc://${runDir}/feed.ipc`);
feed.subscribe(topic);
snapshots.connect(`ipc://${runDir}/snapshots.ipc`);
let [epoch, last, orders] = [0n, 0, new Map()]; // the orders of one price stand in their queue's order
for (;;) {
  const [name, header, body] = await receive(feed);
  if (name === undefined) console.log("the desk is silent: this book is stale");
  if (name?.toString() !== topic) continue; // nothing, or of a longer symbol that begins with ours
  const [sentEpoch, sequence, count] = unpackHeader(header);
  let isAnswered = true;
  while (isAnswered && (sentEpoch > epoch || (sentEpoch === epoch && sequence > last + 1))) {
    await snapshots.send(topic); // something is missing; what comes meanwhile waits in its socket
    const [, snapshotHeader, state] = await receive(snapshots);
    isAnswered = state !== undefined; // if not, ask again at the next message
    if (!isAnswered) continue;
    [epoch, last] = unpackHeader(snapshotHeader);
    orders = new Map();
    apply(state, 0);
  }
  if (!isAnswered || sentEpoch !== epoch) continue; // of an engine that is gone
  if (!apply(body, last + 1 - sequence)) {
    epoch = 0n; // our book is not the engine's
    continue;
  }
  last = Math.max(last, sequence + count - 1);
  const [bid = "-"] = levels(0n);
  const [ask = "-"] = levels(1n);
  const queues = [...orders].sort(([, a], [, b]) => Number(a.side - b.side || a.price - b.price));
  const state = queues.map(([id, { side, price, lots }]) => [id, side, price, lots].join(":"));
  console.log(`${epoch} ${last} ${bid} ${ask} ${orders.size} ${crc32(state)}`);
}
