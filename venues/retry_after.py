"""The header `Retry-After` as venues and the proxies before them write it: in seconds, or as a date."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from market.clock import NS_PER_SECOND, time_ns

_DATE: Final = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", re.ASCII)


def retry_after_of(headers: Mapping[str, str]) -> str:
    """Return the header of that name, however that is spelt, a date (RFC 9110) in seconds from now by our clock."""
    text = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
    try:
        until_s = parsedate_to_datetime(text).timestamp() if _DATE.fullmatch(text) else None
    except ValueError:  # the 45th of a month
        until_s = None
    return text if until_s is None else str(max(0, int(until_s - time_ns() / NS_PER_SECOND) + 1))
