"""The gateway's pure core: bytes of clients, reports of engines and the time in; bytes, last words and commands out.

Begin with `core.py`, which an order and its report walk through; `client.py` and `engines.py` are its two sides.
`session_table.py` has the sessions by number over the arrays of `memory.py`, with a kernel each way: `admission`
and `reporting`. `kept_sessions.py` keeps them in step with their files, `session_store.py` and `checkpoint.py`.
Imports engine's rows and wire, journal and market; nothing of bus.
"""
