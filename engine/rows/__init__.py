"""Rows and memory: a message as 16 integers, the rings that hold them, and every array of the fast engine.

Begin with `messages` and `ring`; `memory` says what stands where, `codes` is what kernels call things by,
`order_table` finds an order by its id. Imports no other sub-room.
"""
