"""structlog as a node needs it: without rich, which is for a terminal, and takes 0.1 s to import."""

import sys
from types import ModuleType
from typing import Final, cast

_ABSENT: Final = cast("ModuleType", None)  # as Python notes that there is no such module

if sys.modules.setdefault("rich", _ABSENT) is _ABSENT:
    try:
        import structlog
    finally:
        del sys.modules["rich"]  # whoever wants it still gets it
else:
    import structlog

__all__ = ["structlog"]
