"""The slow, obvious engine: every rule where a reader would look for it. The fast one is tested against it.

Begin with `engine`; `checks` are the rules for a command's fields, `book` the queues, `events` what is told.
"""
