"""`explain` on a desk that runs: the market that its maker sees, which `status` tells."""

from tests.desk.desk_process import Desk, until


def test_market_is_that_of_the_maker(desk: Desk) -> None:
    """Its mid and its position; what it has not seen yet is told to be assumed, not left out."""
    desk.start("--without", "tracker", "--without", "api")
    figures = until("it has looked", lambda: desk.node("maker")["figures"].get("mid") and desk.node("maker")["figures"])
    assert set(figures["seen"]) == {"volatility", "bid", "ask"}
    document = desk.cli_json("explain", "glft")
    assert document["origin"] == "the desk's market now"
    assert abs(float(document["mid"]) / float(figures["mid"]) - 1) < 0.05
    assert document["now"] is not None
    desk.cli("stop", "maker")
    refused = desk.cli("explain", "glft")
    assert (refused.returncode, "the desk's maker does not run, or sees no mid; or name" in refused.stderr) == (1, True)
