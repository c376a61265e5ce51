"""A whole desk in one process on one simulated clock: the same cores as on a real one, without sockets and sleeping.

Begin with `desk`. Time stands in `heap`; `market` is a flow and its engine, `exchange` what stands before them.
"""
