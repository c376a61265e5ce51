"""Defects that a good engineer would make in what trades: a patch each, and the test that finds it.

Begin at README.md, the table of them; planted.py plants one in a copy of the sources; `python -m tests.planted` runs
the tests there. What is planted in a whole simulated desk is in tests/simulation/planted.py.
"""
