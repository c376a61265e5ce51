"""The quoting models, each a file of its own: `trading.quoting` says what one is."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from trading.models.symmetric import Symmetric
from trading.quoting import QuotingModel

# By the name in `maker.model`: what makes one of maker.half_spread and maker.notional.
MODELS: Final[Mapping[str, Callable[[Decimal, Decimal], QuotingModel]]] = {"symmetric": Symmetric}
