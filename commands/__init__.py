"""The commands of `python cli.py`: one small typer app a file, with names, options and help; begin with options.py.

What a command does stands in desk/ or in commands/actions/, and is imported when it runs: so `--help` stays fast.
"""
