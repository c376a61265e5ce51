"""A desk as a whole: what its settings make of it, and what keeps it running.

Begin with `settings` and `plan`, then `kinds`; `supervisor` starts and watches the nodes, each a process that it knows
by name alone; `client` asks a running desk, `operator` halts it. Nodes import this room, it imports none of them.
"""
