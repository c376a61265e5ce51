"""The command line of tickbus: `python cli.py --help`. Nothing heavy is imported before a command needs it."""

import os
import sys
from importlib.util import find_spec

if find_spec("typer") is None:
    sys.exit("error: this Python has no typer: `make up` sets up .venv; then use .venv/bin/python, or activate it")

from commands.output import output_told, take_no_color
from commands.plain import run_plain
from market.mendable import MendableError
from screens.fold import harmless


def main() -> None:
    """Run a command; what a person can mend is one line, and an exit code of docs/operating.md."""
    take_no_color(sys.argv)
    os.umask(0o077)  # nothing that we write is for others
    try:
        with output_told():
            code = run_plain(sys.argv[1:])
            if code is not None:
                sys.exit(code)
            from commands.app import app

            app()
    except KeyboardInterrupt:
        sys.exit(130)
    except MendableError as error:
        for line in str(error).splitlines():
            print(f"error: {harmless(line)}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
