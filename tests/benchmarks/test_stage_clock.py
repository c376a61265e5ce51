"""The stages that the benchmarks clock are methods that the nodes have."""

from benchmarks.stage_clock import STAGES


def test_every_stage_is_a_method() -> None:
    """One that had moved ended the pipeline's benchmark after all of its measuring."""
    missing = [
        f"{owner.__name__}.{name}"
        for stages in STAGES.values()
        for _, owner, name in stages
        if not hasattr(owner, name)
    ]
    assert missing == []
