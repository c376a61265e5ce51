"""The one table of the kinds of nodes: what each is, and what it needs. How many of each a desk has: desk/plan.py."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: the kinds whose nodes must be ready before it starts, and what it is for.

    Its code is the module `nodes.<name>.node`: its `run(node)` returns when the node has stopped.
    """

    name: str
    needs: tuple[str, ...]
    says: str
    is_http: bool = False  # it serves HTTP, which its library does once in a process
    has_keys: bool = False  # it trades, or asks for the account, with the venue's key and secret
    cleans_up: bool = False  # it has orders of its own at the venue: whoever sees it killed runs its `clean_up`

    @property
    def module(self) -> str:
        """The module of its code."""
        return f"nodes.{self.name}.node"


ENGINE: Final = Kind("engine", (), "matches orders, publishes the book feed")
GATEWAY: Final = Kind("gateway", ("engine",), "takes orders over TCP")
KINDS: Final = (
    ENGINE,
    GATEWAY,
    Kind("paper", ("engine",), "a Binance Spot look-alike in front of the engines", is_http=True),
    Kind("flow", ("engine",), "brings the paper market to life"),
    Kind("api", ("engine",), "serves the order book over HTTP", is_http=True),
    Kind("maker", ("gateway", "paper", "flow"), "quotes both sides at the venue", has_keys=True, cleans_up=True),
    Kind("tracker", ("paper",), "writes the daily performance file", has_keys=True),
)
KIND_NAMES: Final = tuple(kind.name for kind in KINDS)
