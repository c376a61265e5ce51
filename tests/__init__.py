"""The tests. What the processes of a test import is compiled to bytecode once and kept, as under `make test`."""

import os
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process of a desk compiles its modules anew
sys.dont_write_bytecode = False
