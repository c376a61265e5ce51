"""The tokens that clients prove their name with."""

import hmac
import stat
from collections.abc import Mapping
from pathlib import Path

from market.mendable import MendableError


class TokensError(MendableError):
    """The file of tokens cannot be used; the text says what was expected, and never a token."""


def load_tokens(path: Path) -> dict[str, str]:
    """Return the tokens by client id: lines of `client=token`; empty ones and those that begin with # are left out.

    Raises:
        TokensError: if the file is not there, others may read it, or a line is something else.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise TokensError(f"{path} must be of mode 0600, was {mode:04o}: others can read the tokens")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TokensError(f"{path} cannot be read: {error}") from None
    tokens: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        client_id, equals, token = line.strip().partition("=")
        if not (client_id and equals and token) or client_id in tokens:
            raise TokensError(f"{path} must have one client=token for each client, line {number} is something else")
        tokens[client_id] = token
    return tokens


def is_token_right(tokens: Mapping[str, str] | None, client_id: str, token: str) -> bool:
    """Return whether this client may log on with this token; without tokens (None) everybody may.

    An unknown client takes as long as a known one.
    """
    if tokens is None:
        return True
    expected = tokens.get(client_id)
    is_equal = hmac.compare_digest((expected or "unknown").encode(), token.encode())
    return is_equal and expected is not None
