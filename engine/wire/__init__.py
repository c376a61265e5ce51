"""The compiled codec: msgpack bytes to rows and back, and who is told which row.

Begin with `codec`, whose classes make one kernel call each; `table` is made from market/messages.py. It imports rows/.
"""
