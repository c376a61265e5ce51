"""The calls: one table of endpoints, one handler each, and the documents that answer them.

Begin with `endpoints`; a new call is a row there, a handler in one of the `..._calls`, and perhaps a parameter and a
document. It may import exchange, access and money.
"""
