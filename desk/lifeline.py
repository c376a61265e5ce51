"""What a node does when its supervisor is gone, killed with -9: the ordered stop, without anybody to order it.

The supervisor holds one end of a pipe whose other end is every node's standard input; the kernel closes it with the
supervisor. Each node then waits until those that need it have gone, which their locks tell, and stops. So the maker
cancels its orders while the exchange still serves.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from desk.plan import Instance, Plan
from desk.run_dir import holder_pid
from desk.stop_budget import StopBudget

LOOK_S = 0.02


def follow_supervisor(
    nodes: Collection[Instance], plan: Plan, run_dir: Path, budget: StopBudget, tell: Callable[[str], None]
) -> None:
    """Stop this process, from now on, when its supervisor has gone and then those that need it.

    Args:
        nodes: those of this process.
        plan: the desk's.
        run_dir: the desk's.
        budget: how long each wave of a stop may take.
        tell: called with a line.
    """

    def wait_and_stop() -> None:
        while os.read(0, 1):
            continue
        tell("the supervisor is gone: stopping")
        waited_s = budget.before(nodes)
        deadline = time.monotonic() + waited_s
        locks = [run_dir / f"{name}.lock" for name in plan.needing([node.name for node in nodes])]
        while any(holder_pid(lock) is not None for lock in locks) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(budget.of(nodes))
        tell("it did not stop in time and is killed")
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait_and_stop, name="supervisor", daemon=True).start()
