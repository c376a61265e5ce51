"""The quoting models: a centre, a spread and a skew, and a ladder of levels. Begin with `ladder.py`.

A new model is a spread, and its row in the table here.
"""

from collections.abc import Mapping
from typing import Final

from trading.models.ladder import Ladder
from trading.models.parameters import Parameters
from trading.models.spreads import AvellanedaStoikov, Glft, Spread, Symmetric, Volatility
from trading.quoting import QuotingModel

# By the name in `maker.model`.
MODELS: Final[Mapping[str, type[Spread]]] = {
    "symmetric": Symmetric,
    "volatility": Volatility,
    "avellaneda-stoikov": AvellanedaStoikov,
    "glft": Glft,
}


def model_named(name: str, parameters: Parameters) -> QuotingModel:
    """Return the model of that name, a key of MODELS."""
    return Ladder(parameters, MODELS[name](parameters), name)
