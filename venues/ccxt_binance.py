"""ccxt with one exchange of its hundred: `import ccxt` takes 1.3 s of processor time, this 0.2 s.

ccxt's own `__init__` imports every exchange. Here its package stands in for a moment without that file, so that
`ccxt.binance` and what it needs can be imported; whoever imports ccxt afterwards gets the whole of it.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ccxt
else:

    def _one_exchange() -> Any:
        """Return ccxt: the whole where it is imported already, else Binance and the errors."""
        if (whole := sys.modules.get("ccxt")) is not None:
            return whole
        spec = importlib.util.find_spec("ccxt")
        assert spec is not None, "ccxt is not installed"
        alone = sys.modules["ccxt"] = importlib.util.module_from_spec(spec)  # its __init__ is not run
        try:
            binance: ModuleType = importlib.import_module("ccxt.binance")
            errors: ModuleType = importlib.import_module("ccxt.base.errors")
        finally:
            del sys.modules["ccxt"]
        vars(alone).update({name: getattr(errors, name) for name in errors.__all__ if hasattr(errors, name)})
        alone.binance = binance.binance
        return alone

    ccxt = _one_exchange()

__all__ = ["ccxt"]
