"""A look-alike of Binance Spot. A call comes in by `rest` or `socket_api` and goes through `front_desk` to its handler.

money <- exchange <- calls <- streams <- the files of this folder; access stands beside exchange. What all of them use
(errors, units, intervals) imports none of them.
"""
