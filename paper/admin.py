"""The calls of whoever runs the exchange, with a token of its own: accounts, their money, and a check of the books."""

import json
import re
import secrets
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from sanic import Sanic
from sanic.request import Request
from sanic.response import HTTPResponse
from sanic.response import json as json_response

from paper.access.account_folder import AccountFolder
from paper.access.accounts import ADMIN_PREFIX, TOKEN_HEADER, Accounts, KeyFileError
from paper.calls import documents
from paper.exchange.exchange import Exchange
from paper.http_bounds import ERROR_FORMAT
from paper.money.ledger import BooksError
from paper.money.wallets import OUTSIDE
from paper.units import UNITS_MAX, format_units, parse_units

_ASSET = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)
_Handler = Callable[..., Coroutine[Any, Any, Any]]


class AdminError(Exception):
    """A call that is refused; the text says what was expected."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        self.status = status
        super().__init__(text)


class Admin:
    """Runs accounts while the exchange runs.

    Args:
        exchange: lives in the thread of the app's event loop.
        accounts: who may act for which account.
        folder: where keys of new accounts are kept.
        token: what every call must carry.
        clock: ns since 1970 UTC.
    """

    def __init__(
        self, exchange: Exchange, accounts: Accounts, folder: AccountFolder, token: str, clock: Callable[[], int]
    ) -> None:
        self._exchange = exchange
        self._accounts = accounts
        self._folder = folder
        self._token = token
        self._clock = clock

    def add_to(self, app: Sanic[Any, Any]) -> None:
        """Serve the calls on `app`."""
        self.serve(
            app,
            ("GET", "accounts", self._list),
            ("POST", "accounts", self._create),
            ("POST", "accounts/<number:int>/deposit", self._deposit),
            ("POST", "accounts/<number:int>/reset", self._reset),
            ("GET", "check", self._check),
        )

    def serve(self, app: Sanic[Any, Any], *calls: tuple[str, str, _Handler]) -> None:
        """Serve calls on `app`, each a method, a path and what answers, to who has the token."""
        for method, path, handler in calls:
            methods = ["GET", "HEAD"] if method == "GET" else [method]
            guarded, name = self._guarded(handler), f"admin{handler.__name__}"
            app.add_route(guarded, f"{ADMIN_PREFIX}/{path}", methods, name=name, error_format=ERROR_FORMAT)

    def _guarded(self, handler: _Handler) -> _Handler:
        """Return what Sanic calls instead of `handler`: only who has the token reaches it."""

        async def handle(request: Request, **parts: Any) -> HTTPResponse:
            token = request.headers.get(TOKEN_HEADER, "")
            if not secrets.compare_digest(token.encode(errors="backslashreplace"), self._token.encode()):
                return json_response({"error": f"expected the admin's token in {TOKEN_HEADER}"}, status=401)
            try:
                answer = await handler(request, **parts)
                self._exchange.saves.save()  # nobody is told of anything before
                return json_response(answer)
            except AdminError as error:
                return json_response({"error": str(error)}, status=error.status)

        return handle

    async def _list(self, _: Request) -> Any:
        ledger = self._exchange.ledger
        return [
            documents.listed_account(
                number, ledger.records.of(number), ledger.wallets.of(number), len(ledger.open_orders_of(number))
            )
            | {"apiKeys": self._accounts.api_keys(number), "paysInBnb": self._exchange.is_bnb_payer(number)}
            for number in self._accounts.numbers
        ]

    async def _create(self, _: Request) -> Any:
        try:
            number, pair = self._folder.create(self._accounts, self._exchange.ledger.wallets.accounts())
        except KeyFileError as error:
            raise AdminError(HTTPStatus.CONFLICT, str(error)) from None
        self._exchange.open_account(number)
        return {"account": number, "apiKey": pair.api_key, "secret": pair.secret}

    async def _deposit(self, request: Request, number: int) -> Any:
        self._require(number)
        asset, units = _amount(request.body)
        wallets = self._exchange.ledger.wallets
        if abs(wallets.free(OUTSIDE, asset)) + units > UNITS_MAX // 2:
            raise AdminError(HTTPStatus.BAD_REQUEST, f"expected a smaller amount of {asset}")
        self._exchange.deposit(number, asset, units, self._clock())
        return {"account": number, "asset": asset, "free": format_units(wallets.free(number, asset))}

    async def _reset(self, _: Request, number: int) -> Any:
        self._require(number)
        self._exchange.reset_account(number, self._clock())
        record = self._exchange.ledger.records.of(number)
        return {"account": number, "uid": record.uid(number), "resets": record.reset_count, "time": record.reset_ms}

    async def _check(self, _: Request) -> Any:
        ledger = self._exchange.ledger
        try:
            ledger.check()
        except BooksError as error:
            raise AdminError(HTTPStatus.CONFLICT, f"the books do not add up: {error}") from None
        return {
            "accounts": len(self._accounts.numbers),
            "openOrders": len(ledger.open_orders),
            "totals": {asset: format_units(units) for asset, units in ledger.wallets.totals().items()},
        }

    def _require(self, number: int) -> None:
        if number not in self._accounts.numbers:
            raise AdminError(HTTPStatus.NOT_FOUND, f"there is no account {number}")


def _amount(body: bytes) -> tuple[str, int]:
    """Return the asset and the units that a body like {"asset": "USDT", "amount": "100.5"} names."""
    try:
        document = json.loads(body)
        asset, units = document["asset"], parse_units(document["amount"])
        is_sound = _ASSET.fullmatch(asset) is not None and 0 < units <= UNITS_MAX
    except (ValueError, KeyError, TypeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise AdminError(HTTPStatus.BAD_REQUEST, 'expected {"asset": "USDT", "amount": "100.5"}')
    return asset, units
