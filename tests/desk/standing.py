"""A process that keeps two files in step, as a node keeps two stores: run with the run directory as its argument.

It commits n to a database, and then appends n to a file: of one moment, the file has all but at most the last one.
"""

import sqlite3
import sys
from pathlib import Path

from desk.run_dir import LockFile


def main(run_dir: Path) -> None:
    """Count until killed."""
    lock = LockFile(run_dir / "counter.lock", "the counter")
    connection = sqlite3.connect(run_dir / "count.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE counts (number INTEGER NOT NULL)")
    with (run_dir / "counts.log").open("wb", buffering=0) as file:
        print("counts", flush=True)
        for number in range(1, 1 << 40):
            connection.execute("INSERT INTO counts VALUES (?)", (number,))
            file.write(number.to_bytes(8, "little"))
    lock.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
