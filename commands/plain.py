"""The processes of a desk, run as their supervisor and systemd run them: without the other commands' parser.

Each process of a desk would spend a tenth of its start on that.
"""

from collections.abc import Sequence
from pathlib import Path


def run_plain(words: Sequence[str]) -> int | None:
    """Run what `words` plainly say, a node, the nodes' template or a watchdog; return the exit code, else None."""
    match words:
        case ["node", *names, "--clean-up"] if _are_names(names):
            return run_node(names, None, is_cleaning=True)
        case ["node", *names] if _are_names(names):
            return run_node(names, None)
        case ["watchdog", prefix, "--run-dir", run_dir] if _are_names([prefix, run_dir]):
            return run_watchdog(prefix, Path(run_dir))
        case ["template", descriptor, kinds, _]:
            return run_template(int(descriptor), kinds.split(","))
    return None


def _are_names(words: Sequence[str]) -> bool:
    return bool(words) and not any(word.startswith("-") or not word for word in words)


def run_node(names: Sequence[str], run_dir: Path | None, *, is_cleaning: bool = False) -> int:
    """Run nodes in the foreground, or clean up after them; return the exit code."""
    from desk.desk_file import node_settings
    from nodes.node import run_nodes

    return run_nodes(names, node_settings(run_dir), is_cleaning=is_cleaning)


def run_watchdog(prefix: str, run_dir: Path | None) -> int:
    """Watch over the maker that has started this; return the exit code."""
    from desk.desk_file import node_settings
    from nodes.maker.watching import watch

    watch(node_settings(run_dir), prefix)
    return 0


def run_template(descriptor: int, kinds: Sequence[str]) -> int | None:
    """Be the template of nodes of these kinds, and in each copy what that is to be; return the exit code."""
    from nodes.template import leave, serve

    words = serve(descriptor, kinds)
    if words is None:
        return 0
    if (code := run_plain(words)) is not None:
        leave(code)
    return code
