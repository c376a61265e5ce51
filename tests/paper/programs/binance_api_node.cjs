// What a user of binance-api-node does, against the exchange whose URL and keys stand in the environment.
// Run by test_other_clients.py in an environment of its own; ends with "done" if everything was as it should be.

const assert = require("node:assert");
const net = require("node:net");
const Binance = require("binance-api-node").default;

const url = process.env.EXCHANGE_URL;
const [alice, bob] = JSON.parse(process.env.EXCHANGE_KEYS).map(([apiKey, apiSecret]) => client(apiKey, apiSecret));
const symbol = "BTCUSDT";
const limit = { symbol, type: "LIMIT", timeInForce: "GTC", quantity: "0.01" };

function client(apiKey, apiSecret) {
  const sockets = url.replace("http", "ws");
  return Binance({ apiKey, apiSecret, httpBase: url, wsBase: `${sockets}/ws`, wsApi: `${sockets}/ws-api/v3` });
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
  const refusals = [
    [-2010, () => alice.order({ ...limit, side: "BUY", price: "90000", quantity: "1" })],
    [-1013, () => alice.order({ ...limit, side: "BUY", price: "90000", quantity: "0.00001" })],
    [-2011, () => alice.cancelOrder({ symbol, orderId: 1 })],
    [-1121, () => alice.book({ symbol: "NOPE" })],
  ];
  for (const [code, call] of refusals) await assert.rejects(call, (error) => error.code === code, String(code));
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

stayOnLoopback();
tradeOverHttp()
  .then(listen)
  .then(() => process.stdout.write("done\n", () => process.exit(0)))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
