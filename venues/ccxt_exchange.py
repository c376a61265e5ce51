"""ccxt.pro's Binance as a line has it: what is wrong is told to whoever watches, and nobody else is asked.

By itself ccxt follows a redirect, with the key, to whatever host it names; asks three times at once for a book that the
venue is too busy for; ends a connection because of a fee in an asset that it has not loaded; and reads no more after a
message that is no JSON, without a word.
"""

import json
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from market.clock import NS_PER_MS, time_ns
from venues.ccxt_binance import ccxt
from venues.ccxt_errors import RefusedError
from venues.ccxt_pro import binance
from venues.retry_after import retry_after_of

_PING_MS: Final = 1_000  # two pings without an answer end a connection


def exchange_of(settings: dict[str, Any]) -> Any:
    """Return a client of ccxt.pro, whose own handling of messages may be replaced further.

    Args:
        settings: as `venues.ccxt_binance.settings_of` has them.
    """
    exchange: Any = binance({**settings, "enableRateLimit": False})
    exchange.timeout_on_exit = 0
    # One connection for all of the market's streams; the default is another one for each kind.
    exchange.options["streamLimits"] = {"spot": 1}
    exchange.options |= {"crossMarginPairsData": [], "isolatedMarginPairsData": []}  # no margin here
    exchange.options["watchOrderBook"] = {"maxRetries": 1}
    exchange.options["ws"] = {
        "keepAlive": _PING_MS,
        "connectionTimeout": max(1_000, settings["timeout"]),
        "compress": 0,
    }
    exchange.handle_errors = _check
    exchange.handle_ws_error = refused
    exchange.handle_event_stream_terminated = _terminated
    exchange.handle_my_trade = lambda _client, _message: None  # reports of orders tell as much
    exchange.open = partial(_open, exchange, exchange.open)
    exchange.client = partial(_client, exchange, exchange.client)
    return exchange


def refused(client: Any, message: Any) -> None:
    """Judge a refusal in ccxt's place: its many kinds of error do not tell the status."""
    error, name = message.get("error") or {}, str(message.get("id"))
    data = error.get("data") or {}
    # A time by the venue's clock, as is that of its answer; ours may be another one.
    retry_ms = data.get("retryAfter", 0)
    left_ms = retry_ms - data.get("serverTime", time_ns() // NS_PER_MS)
    wait_s = max(0, -(-left_ms // 1_000))
    status = int(message.get("status", HTTPStatus.BAD_REQUEST))
    refusal = partial(RefusedError, status, str(wait_s) if retry_ms else "", json.dumps(error))
    client.subscriptions.pop(name, None)
    if name in client.futures:
        client.reject(refusal(), name)
    else:  # of a subscription to streams, or of what nobody can say: whoever waits for something else waits in vain
        client.on_error(refusal(is_answer=False))


def _check(status: int, *answer: Any) -> None:
    """Judge an answer over HTTP in ccxt's place."""
    _reason, _url, _method, headers, body, *_ = answer
    if status != HTTPStatus.OK:
        raise RefusedError(status, retry_after_of(headers), body) from None


def _terminated(client: Any, _: Any) -> None:
    client.on_error(ccxt.NetworkError("the venue has ended the account's stream"))


def _open(exchange: Any, open_session: Any, *given: Any, **named: Any) -> None:
    """Open the session for HTTP and sockets; one that is new follows no redirect."""
    open_session(*given, **named)
    traced: list[aiohttp.TraceConfig] = exchange.session.trace_configs
    if not traced:
        config = aiohttp.TraceConfig()
        config.on_request_redirect.append(_refuse_redirect)
        config.freeze()
        traced.append(config)


async def _refuse_redirect(_session: Any, _context: Any, told: aiohttp.TraceRequestRedirectParams) -> None:
    told.response.close()
    raise RefusedError(told.response.status, "", "")


def _client(exchange: Any, client_of: Any, url: str) -> Any:
    """Return the connection to a URL; a new one tells whoever waits of a message that cannot be read."""
    is_new = url not in (exchange.clients or {})
    client = client_of(url)
    if is_new:
        client.handle_text_or_binary_message = partial(_read, client, client.handle_text_or_binary_message)
    return client


def _read(client: Any, read: Any, data: Any) -> None:
    try:
        read(data)
    except Exception as error:  # noqa: BLE001 - raised to whoever waits; ccxt would read no more, and say nothing
        client.on_error(error)
