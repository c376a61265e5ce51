"""What kernels do with a socket of the bus: `parts` of messages in and out, the `headers` of the order link.

They call ZeroMQ by addresses, which bus/native.py has found.
"""
