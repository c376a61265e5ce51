"""The kernels of the mirror of a recorded book: what was recorded goes in as numbers, rows of commands come out.

`following` turns what is recorded into wishes, `own_orders` wishes into commands, `hearing` takes in what became of
them. `memory` says what stands where, `prices` keeps prices in order. `flow.book_mirror` is their face. Imports market.
"""
