"""An append-only log: whatever its owner was told, on disk before it acts, to be told again after a restart.

Begin with `format.py`: the bytes, and the Schema in which an owner says what its records are. `journal.py` writes,
`reader.py` reads and tells a torn tail from corruption, `replay.py` feeds an owner. Two have one: the engine
(`nodes/engine/command_record.py`) and the gateway's sessions. Imports market alone.
"""
