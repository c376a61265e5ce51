"""The exchange itself, without sockets and clock: orders go to the engines, what they report moves money.

Begin with `exchange` (what a client can want), `engine_orders` (what is on its way to one engine and comes back) and
`executions` (what an engine's event does); `public_market` is what everybody sees. It may import money.
"""
