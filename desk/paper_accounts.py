"""The command line's way to the accounts of a running paper exchange: its admin calls, with the token in its folder."""

import http.client
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from desk.client import DeskError, require_node
from desk.settings import Settings
from market.http_names import connectable
from paper.access.accounts import KeyFileError, load_token
from paper.admin import ADMIN_PREFIX, TOKEN_HEADER

ANSWER_S_MAX = 10.0
TOKEN_FILE = "admin.token"  # noqa: S105 - the name of a file


class PaperAccounts:
    """The accounts of the paper exchange that a desk runs; every call raises DeskError with one line for a person."""

    def __init__(self, settings: Settings) -> None:
        """Use the exchange of the settings' address and the token in their run directory."""
        self._address = connectable(settings.paper.host), settings.paper.port
        self._folder = settings.run_dir / "paper"

    def listed(self) -> Any:
        """Return every account: its number, API keys, open orders, resets and balances."""
        return self._ask("GET", "accounts")

    def create(self) -> dict[str, Any]:
        """Make one more account; its secret stays in the file that is named."""
        made = self._ask("POST", "accounts")
        keys = self._folder / "accounts" / f"{made['account']}.env"
        return {"account": made["account"], "apiKey": made["apiKey"], "keys": str(keys)}

    def fund(self, number: int, asset: str, amount: str) -> Any:
        """Give an account money."""
        return self._ask("POST", f"accounts/{number}/deposit", {"asset": asset, "amount": amount})

    def reset(self, number: int) -> Any:
        """Let an account begin anew."""
        return self._ask("POST", f"accounts/{number}/reset")

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        require_node(self._folder.parent, "paper")
        try:
            token = load_token(self._folder / TOKEN_FILE)
        except KeyFileError as error:
            raise DeskError(f"no token for the paper exchange, has it ever run here? {error}") from None
        host, port = self._address
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S_MAX)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"{ADMIN_PREFIX}/{path}", text, {TOKEN_HEADER: token})
            answer = connection.getresponse()
            document = json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise DeskError(f"no paper exchange answers at {host}:{port} ({reason})") from None
        except ValueError:
            raise DeskError(f"what answers at {host}:{port} is no paper exchange") from None
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            said = document.get("error") if isinstance(document, dict) else None
            raise DeskError(f"the paper exchange refused: {said or answer.status}")
        return document
