// What a user of binance-api-node does, against the exchange whose URL and keys stand in the environment.
// Run by test_other_clients.py in an environment of its own; ends with "done" if everything was as it should be.

const assert = require("node:assert");
const net = require("node:net");
const Binance = require("binance-api-node").default;

const url = process.env.EXCHANGE_URL;
const keys = JSON.parse(process.env.EXCHANGE_KEYS);
const [alice, bob] = keys.map(([apiKey, apiSecret]) => client(apiKey, apiSecret));
const symbol = "BTCUSDT";
const limit = { symbol, type: "LIMIT", timeInForce: "GTC", quantity: "0.01" };

function client(apiKey, apiSecret, getTime) {
  const sockets = url.replace("http", "ws");
  return Binance({ apiKey, apiSecret, getTime, httpBase: url, wsBase: `${sockets}/ws`, wsApi: `${sockets}/ws-api/v3` });
}

function stayOnLoopback() {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...parts) {
    const options = Array.isArray(parts[0]) ? parts[0][0] : parts[0];
    assert(["127.0.0.1", "localhost", "::1"].includes(options.host), `a connection to ${options.host}`);
    return connect.apply(this, parts);
  };
}

// Collects what a stream tells; wait() gives the first that is wanted, or fails after ten seconds.
class Heard {
  constructor() {
    this.all = [];
    this.take = (document) => this.all.push(document);
  }

  async wait(isWanted = () => true) {
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
      const found = this.all.find(isWanted);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`not heard, only: ${JSON.stringify(this.all)}`);
  }
}

async function tradeOverHttp() {
  const { symbols } = await alice.exchangeInfo();
  assert.strictEqual(symbols[0].filters[0].tickSize, "0.01000000");
  const { balances } = await alice.accountInfo();
  assert.strictEqual(balances.find((each) => each.asset === "USDT").free, "10000.00000000");
  const placed = await alice.order({ ...limit, side: "BUY", price: "90000" });
  assert.strictEqual((await alice.getOrder({ symbol, orderId: placed.orderId })).status, "NEW");
  assert.strictEqual((await alice.openOrders({ symbol })).length, 1);
  await bob.order({ symbol, side: "SELL", type: "MARKET", quantity: "0.004" });
  assert.strictEqual((await alice.cancelOrder({ symbol, orderId: placed.orderId })).executedQty, "0.00400000");
  assert.strictEqual((await alice.myTrades({ symbol })).at(-1).isMaker, true);
  assert.strictEqual((await alice.allOrders({ symbol })).at(-1).status, "CANCELED");
  assert.strictEqual((await alice.prices({ symbol }))[symbol], "90000.00000000");
  assert.strictEqual((await alice.candles({ symbol, interval: "1m" })).at(-1).close, "90000.00000000");
  assert.deepStrictEqual((await alice.book({ symbol })).bids, []);
}

async function replaceAndAmend() {
  const placed = await alice.order({ ...limit, side: "BUY", price: "90000" });
  const changed = { ...limit, side: "BUY", quantity: "0.02", price: "89000", cancelOrderId: placed.orderId };
  const { orderId } = (await alice.updateOrder(changed)).newOrderResponse;
  const smaller = { symbol, orderId, newQty: "0.015" };
  const { amendedOrder } = await alice.privateRequest("PUT", "/api/v3/order/amend/keepPriority", smaller);
  assert.strictEqual(amendedOrder.qty, "0.01500000");
  assert.strictEqual((await alice.cancelOpenOrders({ symbol })).length, 1);
}

async function listOrders() {
  const pair = { symbol, side: "SELL", quantity: "0.01", price: "95000", stopPrice: "85000" };
  const placed = await alice.orderOco({ ...pair, stopLimitPrice: "84000", stopLimitTimeInForce: "GTC" });
  assert.deepStrictEqual(placed.orderReports.map((each) => each.status), ["NEW", "NEW"]);
  const { orderListId } = placed;
  assert.strictEqual((await alice.getOrderOco({ orderListId })).listOrderStatus, "EXECUTING");
  assert.strictEqual((await alice.cancelOrderOco({ symbol, orderListId })).listOrderStatus, "ALL_DONE");
}

async function look() {
  assert.strictEqual(await alice.ping(), true);
  assert((await alice.time()) > 0);
  assert.strictEqual((await alice.trades({ symbol })).at(-1).price, "90000.00000000");
  assert.strictEqual((await alice.aggTrades({ symbol })).at(-1).price, "90000.00000000");
  assert(Number((await alice.avgPrice({ symbol })).price) > 0); // of five minutes, whoever has traded
  assert.strictEqual((await alice.dailyStats({ symbol })).lastPrice, "90000.00000000");
  assert.strictEqual(Object.keys(await alice.allBookTickers()).length, 3);
  assert.deepStrictEqual(Object.keys(await alice.orderTest({ ...limit, side: "BUY", price: "90000" })), []);
}

async function beRefused() {
  const buy = (changes) => () => alice.order({ ...limit, side: "BUY", price: "90000", ...changes });
  await buy({ newClientOrderId: "mine" })();
  const refusals = [
    [-2010, buy({ newClientOrderId: "mine" })],
    [-2010, buy({ quantity: "1" })],
    [-1013, buy({ quantity: "0.00001" })],
    [-1111, buy({ price: "90000.000000001" })],
    [-1115, buy({ timeInForce: "GTX" })],
    [-1116, buy({ type: "FANCY" })],
    [-1117, buy({ side: "HOLD" })],
    [-1104, buy({ colour: "red" })],
    [-1106, buy({ stopPrice: "80000" })],
    [-1121, () => alice.book({ symbol: "NOPE" })],
    [-1100, () => alice.book({ symbol: "no pe" })],
    [-2011, () => alice.cancelOrder({ symbol, orderId: 1 })],
    [-2013, () => alice.getOrder({ symbol, orderId: 1 })],
    [-1022, () => client(keys[0][0], "x".repeat(64)).accountInfo()],
    [-2015, () => client("x".repeat(64), keys[0][1]).accountInfo()],
    [-2014, () => client("x", keys[0][1]).accountInfo()],
    [-1021, () => client(...keys[0], () => Date.now() - 60_000).accountInfo()],
  ];
  for (const [code, call] of refusals) await assert.rejects(call, (error) => error.code === code, String(code));
  await arm({ kind: "rate_limit" });
  await assert.rejects(buy(), (error) => error.code === -1003);
  await alice.cancelOpenOrders({ symbol });
}

async function arm(fault) {
  const headers = { "X-Admin-Token": process.env.EXCHANGE_ADMIN };
  const body = JSON.stringify({ path: "order", ...fault });
  const reply = await fetch(`${url}/admin/v1/faults`, { method: "POST", headers, body });
  assert.strictEqual(reply.status, 200);
}

// A lost reply and 5xx: nothing is known but by asking, and the client sends nothing twice.
async function surviveFaults() {
  const faults = [
    [{ kind: "drop_reply" }, 1],
    [{ kind: "server_error", status: 502, is_html: true, is_executed: true }, 1],
    [{ kind: "reject", code: -1007 }, 0],
  ];
  for (const [fault, count] of faults) {
    await arm(fault);
    await assert.rejects(() => alice.order({ ...limit, side: "BUY", price: "90000" }));
    assert.strictEqual((await alice.openOrders({ symbol })).length, count, JSON.stringify(fault));
    if (count) await alice.cancelOpenOrders({ symbol });
  }
}

async function listen() {
  const [own, depth, trades, best] = [new Heard(), new Heard(), new Heard(), new Heard()];
  await alice.ws.user(own.take);
  alice.ws.depth(`${symbol}@100ms`, depth.take, false);
  alice.ws.trades(symbol, trades.take);
  alice.ws.bookTicker(symbol, best.take);
  const { orderId } = await alice.order({ ...limit, side: "SELL", price: "91000" });
  assert.strictEqual((await own.wait((event) => event.eventType === "executionReport")).orderId, orderId);
  for (let price = 91_001; !(depth.all.length && best.all.length); price += 1) {
    await alice.order({ ...limit, side: "SELL", price: String(price), quantity: "0.001" }); // until the streams are open
    await alice.order({ ...limit, side: "BUY", price: String(price - 2_000), quantity: "0.001" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await best.wait((event) => event.bestAsk === "91000.00000000");
  const update = await depth.wait();
  assert(update.u >= update.U, JSON.stringify(update));
  for (let count = 0; !trades.all.length && count < 20; count += 1) {
    await bob.order({ symbol, side: "BUY", type: "MARKET", quantity: "0.0004" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.strictEqual((await trades.wait()).price, "91000.00000000");
  await own.wait((event) => event.executionType === "TRADE" && event.orderId === orderId);
  await alice.cancelOpenOrders({ symbol });
  await own.wait((event) => event.executionType === "CANCELED");
}

// The other market streams, while orders come and go and trade.
async function listenToTheMarket() {
  const heard = Object.fromEntries(
    ["aggTrades", "candles", "ticker", "miniTicker", "partialDepth", "allMiniTickers"].map((name) => [
      name,
      new Heard(),
    ]),
  );
  alice.ws.aggTrades(symbol, heard.aggTrades.take);
  alice.ws.candles(symbol, "1m", heard.candles.take);
  alice.ws.ticker(symbol, heard.ticker.take);
  alice.ws.miniTicker(symbol, heard.miniTicker.take);
  alice.ws.partialDepth({ symbol, level: 10 }, heard.partialDepth.take);
  alice.ws.allMiniTickers(heard.allMiniTickers.take);
  for (const deadline = Date.now() + 20_000; Object.values(heard).some((each) => !each.all.length); ) {
    assert(Date.now() < deadline, `not heard: ${Object.keys(heard).filter((name) => !heard[name].all.length)}`);
    await alice.order({ ...limit, side: "BUY", price: "90000", quantity: "0.0002" });
    await bob.order({ symbol, side: "SELL", type: "MARKET", quantity: "0.0001" });
    await alice.cancelOpenOrders({ symbol });
  }
  for (const name of ["aggTrades", "candles", "ticker", "miniTicker", "partialDepth"])
    assert.strictEqual(heard[name].all[0].symbol, symbol, name);
  assert.strictEqual(heard.allMiniTickers.all[0][0].symbol, symbol);
}

stayOnLoopback();
tradeOverHttp()
  .then(look)
  .then(replaceAndAmend)
  .then(listOrders)
  .then(beRefused)
  .then(surviveFaults)
  .then(listen)
  .then(listenToTheMarket)
  .then(() => process.stdout.write("done\n", () => process.exit(0)))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
