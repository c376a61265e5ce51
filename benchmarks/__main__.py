"""All benchmarks, one after the other: `python -m benchmarks [FOLDER]`, on an idle machine.

FOLDER holds streams for the matching engine (`*.npz`, see `python -m benchmarks.matching --help`) and recordings
(`*.gz`); without them those that need them are left out, and said.
"""

import subprocess
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run them and return the first exit code that is not 0."""
    streams = [path for folder in arguments for path in sorted(Path(folder).glob("*.npz"))]
    runs = [["benchmarks.matching", "--stream", str(path)] for path in streams]
    runs += [["benchmarks.wire"], ["benchmarks.journal"], ["benchmarks.feed"], ["benchmarks.orderbook_http"]]
    runs += [["benchmarks.live_line"], ["benchmarks.market", "--seconds", "60"]]
    runs += [["benchmarks.simulation"]]
    if recordings := [str(path) for folder in arguments for path in sorted(Path(folder).glob("*.gz"))]:
        runs += [["benchmarks.backtest", *recordings], ["benchmarks.parity", f"replay:{recordings[0]}"]]
    runs += [["benchmarks.start"], ["benchmarks.pipeline"], ["benchmarks.latency"], ["benchmarks.standby"]]
    runs += [["benchmarks.paper"], ["benchmarks.paper_history"]]
    code = 0
    for run in runs:
        print(f"\n== python -m {' '.join(run)}", flush=True)
        code = code or subprocess.run([sys.executable, "-m", *run], check=False).returncode
    if not streams:
        print("\nmatching was left out: name a folder with streams, make bench STREAMS=FOLDER")
    if not recordings:
        print("backtests were left out: name a folder with recordings likewise")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
