"""The fast engine: compiled kernels over one memory, a batch of commands for each call.

Begin with `matching`, which handles one command after the other: `entering`, `canceling`, `amending`; an order acts in
`taking`; what happens is told in `telling`. Below lie `book` (orders, ids, queues) and `ladder` (price levels).
"""
