"""Where a venue may be: a testnet or a look-alike, never the exchange itself, and never in the clear."""

import ipaddress
import re
from urllib.parse import urlsplit

from market.http_names import is_loopback

# A part of a host's name between two dots: Binance in every country, and those who trade on its books.
EXCHANGE_LABELS = frozenset({"binance", "trbinance", "binancezh", "binancecnt", "tokocrypto"})
PRACTICE_HOSTS = re.compile(r"([a-z0-9-]+\.)*testnet\.binance\.vision|demo-[a-z0-9-]+\.binance\.com")
PLAIN_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def practice_url(url: str) -> str:
    """Return the URL of a venue in its one plain form, if it is one to practise at.

    The host is read as a client would: in small letters, without a dot at its end. What a client might read in another
    way than we do (letters of other alphabets, percent signs, a name and password in front) is refused.

    Raises:
        ValueError: if it is not, or if keys would go to another machine in the clear.
    """
    if set(url) & set("?#%@\\"):
        raise ValueError("expected http(s)://HOST or http(s)://HOST:PORT alone")
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(f"{scheme.lower()}://{rest}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise ValueError("expected http(s)://HOST or http(s)://HOST:PORT") from None
    if parts.path not in ("", "/"):
        raise ValueError("expected http(s)://HOST or http(s)://HOST:PORT alone: the calls of a venue begin at its root")
    shown = f"[{host}]" if ":" in host else host
    plain = f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}"
    given = re.sub(r"\.+(?=(:\d+)?$)", "", f"{parts.scheme}://{parts.netloc.lower()}")
    if parts.scheme not in ("http", "https") or given != plain or not (_is_address(host) or PLAIN_HOST.fullmatch(host)):
        raise ValueError("expected http(s)://HOST or http(s)://HOST:PORT, with a plain ASCII name or an address")
    if EXCHANGE_LABELS & set(host.split(".")) and not PRACTICE_HOSTS.fullmatch(host):
        raise ValueError("expected a testnet or a look-alike: this is Binance's exchange for real money")
    if parts.scheme != "https" and not is_loopback(host):
        raise ValueError("expected https: beyond this machine the account's key would travel in the clear")
    return plain


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
