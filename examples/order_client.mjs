// Trade over the TCP gateway of a running desk, with @msgpack/msgpack alone, and lose the connection as often as it likes.
//
// Usage: npm ci --prefix examples && node examples/order_client.mjs [HOST] [PORT] [NAME] [COUNT]
//
// It enters COUNT bids far below the market, one after the other, makes each smaller, cancels it, and prints every
// report. It hangs up right after each new order and each cancel, as if the network had failed, and resumes its session.
// What it follows is the chapter on the TCP gateway in docs/protocol.md.

import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { decodeMultiStream, encode } from "@msgpack/msgpack";

const [NEW_ORDER, CANCEL_ORDER, AMEND_ORDER] = [1, 2, 3];
const [ACCEPTED, CANCELED, AMENDED, REJECTED, INSTRUMENT_DEFINITION] = [16, 19, 20, 22, 35];
const [LOGON, LOGGED_ON, HEARTBEAT, LOGOUT] = [48, 49, 50, 51];
const [BUY, POST_ONLY, ENGINE_UNAVAILABLE] = [0, 2, 20];
const FINAL = [19, 26, 27, 28, 30]; // reasons after which to connect again is of no use
const [PRICE, QTY] = ["50000", "0.01"];

const [host = "127.0.0.1", port = "8083", name = "example", count = "3"] = process.argv.slice(2);
const orders = new Map(); // by id: what was done to it
let [lastSequence, lastId, btc, idleMs] = [0, 0, undefined, 1_000];
let isOver = false;

// A decimal text as a whole number, so that nothing is rounded.
function units(text) {
  const [whole, part = ""] = text.split(".");
  return BigInt(whole + part.padEnd(18, "0"));
}

function send(socket, ...messages) {
  for (const message of messages) socket.write(encode(message));
}

// Give the next command for the order that is being worked on: again after a lost connection, nothing is done twice.
function act(socket) {
  let order = orders.get(lastId);
  if (order === undefined || order.isDone) {
    if (orders.size === Number(count)) return send(socket, [LOGOUT, 0, 1]);
    order = { id: ++lastId };
    orders.set(order.id, order);
  }
  const next = order.isAmended ? CANCEL_ORDER : order.isAccepted ? AMEND_ORDER : NEW_ORDER;
  if (next === NEW_ORDER) send(socket, [NEW_ORDER, order.id, btc.id, BUY, btc.ticks, btc.lots, POST_ONLY]);
  if (next === AMEND_ORDER) send(socket, [AMEND_ORDER, order.id, btc.id, btc.ticks, btc.lots - 1]);
  if (next === CANCEL_ORDER) send(socket, [CANCEL_ORDER, order.id, btc.id]);
  if (next !== order.last && next !== AMEND_ORDER) socket.end(); // it is sent, but we do not read the answer
  order.last = next;
}

function take(socket, [tag, ...fields]) {
  if (tag === INSTRUMENT_DEFINITION && fields[1] === "BTCUSDT")
    btc = { id: fields[0], ticks: Number(units(PRICE) / units(fields[4])), lots: Number(units(QTY) / units(fields[5])) };
  if (tag === LOGGED_ON) {
    const [nextSequence, firstSequence, lastOrderId] = fields.map(Number);
    if (nextSequence <= lastSequence) throw new Error("the gateway has forgotten our session");
    if (firstSequence > lastSequence + 1) throw new Error(`reports up to ${firstSequence - 1} are lost`);
    [lastId, idleMs] = [Math.max(lastId, lastOrderId), Number(fields[4])];
    act(socket);
  }
  if (tag === LOGOUT && !fields[0]) isOver = true; // the answer to ours
  if (tag === LOGOUT || (tag === REJECTED && (fields[5] === 0 || fields[5] === LOGON))) {
    const reason = fields[tag === LOGOUT ? 0 : 6] ?? 0;
    if (FINAL.includes(reason)) throw new Error(`the gateway ended the session: reason ${reason}`);
  } else if (tag >= ACCEPTED && tag <= REJECTED) takeReport(socket, tag, fields);
}

function takeReport(socket, tag, fields) {
  const [sequence, order] = [Number(fields[0]), orders.get(Number(fields[3]))];
  if (sequence && sequence <= lastSequence) return; // we have had it
  if (sequence && sequence !== lastSequence + 1) return socket.destroy(); // we have lost our place
  lastSequence = sequence || lastSequence;
  console.log([tag, ...fields].join(" "));
  if (order === undefined) return;
  if (tag === REJECTED && fields[6] === ENGINE_UNAVAILABLE) return setTimeout(() => act(socket), 100);
  order.isAccepted ||= tag === ACCEPTED;
  order.isAmended ||= tag === AMENDED;
  order.isDone ||= tag === CANCELED || (tag === REJECTED && fields[5] === NEW_ORDER);
  if (tag !== REJECTED || fields[5] === NEW_ORDER) act(socket);
}

while (!isOver) {
  const socket = connect(Number(port), host);
  socket.setNoDelay(true);
  socket.on("error", () => {}); // the loop below sees it, too
  const heartbeat = setInterval(() => socket.writable && send(socket, [HEARTBEAT, lastSequence]), idleMs / 3);
  socket.setTimeout(idleMs, () => socket.destroy()); // nothing was heard for so long: it is dead
  try {
    send(socket, [LOGON, name, process.env.GATEWAY_TOKEN ?? "", lastSequence]);
    for await (const message of decodeMultiStream(socket, { useBigInt64: true })) {
      if (socket.writableEnded) break; // the network has failed
      take(socket, message);
    }
  } catch (error) {
    if (!(error.code || error instanceof RangeError)) throw error; // a lost connection, a message cut short
  } finally {
    clearInterval(heartbeat);
    socket.destroy();
  }
  await pause(20);
}
