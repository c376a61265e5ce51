"""Sharpe and Sortino by empyrical: daily returns come as a JSON list, and go as a JSON object."""

import json
import sys

import empyrical  # type: ignore[import-not-found]
import pandas as pd  # type: ignore[import-untyped]

returns = pd.Series(json.load(sys.stdin))
found = {
    "sharpe": empyrical.sharpe_ratio(returns, annualization=365),
    "sortino": empyrical.sortino_ratio(returns, annualization=365),
}
print(json.dumps({name: float(value) for name, value in found.items()}))
