"""The kernel that replays arrays of a recording to an engine. `simulation.recorded_market` is its face."""
