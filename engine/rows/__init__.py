"""Rings and memory: what holds the rows of messages, and every array of the fast engine.

Begin with `ring`; `memory` says what stands where. What a row is stands in `market.kernels.rows`.
Imports no other sub-room.
"""
