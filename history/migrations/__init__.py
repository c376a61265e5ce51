"""How the tables of before become those of today, by alembic; `database.py` runs it when it opens a database."""
