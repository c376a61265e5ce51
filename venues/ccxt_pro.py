"""ccxt.pro with one exchange of its eighty: `import ccxt.pro` takes 0.5 s of processor time and 70 MB, this half of it.

As in `venues.ccxt_binance`: its packages stand in for a moment without their `__init__`.
"""

import importlib
import importlib.util
import sys
from typing import Any

from venues.ccxt_binance import ccxt


def _one_exchange() -> Any:
    """Return ccxt.pro's Binance: that of the whole where it is imported already."""
    alone = {name: package for name, package in (("ccxt", ccxt),) if name not in sys.modules}
    sys.modules.update(alone)
    try:
        for name in ("async_support", "pro"):
            if (full_name := f"ccxt.{name}") not in sys.modules:
                spec = importlib.util.find_spec(full_name)
                assert spec is not None, f"{full_name} is not installed"
                alone[full_name] = sys.modules[full_name] = importlib.util.module_from_spec(spec)
                setattr(sys.modules["ccxt"], name, alone[full_name])
                vars(alone[full_name])["binance"] = importlib.import_module(f"{full_name}.binance").binance
        return sys.modules["ccxt.pro"].binance
    finally:
        for name in alone:
            del sys.modules[name]


binance: Any = _one_exchange()
