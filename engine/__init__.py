"""The matching engine: pure and deterministic; no sockets, no clock, no logging, no allocation once started.

Begin with `matching_engine` (what an engine can do, and who makes one), then fast/ or reference/. Both read rows/, and
wire/ turns bytes into rows and back. Imports market alone.
"""
