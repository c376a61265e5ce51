"""The history database: every order, trade and balance that a venue told, and what the desk knew of them.

Begin with `schema.py`, the tables; `database.py` opens them, `keeping.py` fills them, `retention.py` forgets.
It alone imports SQLAlchemy, which takes a while: only the tracker and the commands of the history import this room.
"""
