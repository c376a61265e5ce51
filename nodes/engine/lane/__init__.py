"""The engine's lane: what is ordinary goes from socket to socket in one compiled call, and Python does the rest.

Begin with `kernel`, whose steps are those of nodes/engine/core.py: receive, decode into the ring, journal, match,
report. `memory` says what it works on, and what it says at its end; `lane` is the Python around it.
"""
