"""The collector of cycles: left off while something is read, and as it was afterwards."""

import gc

import pytest

from market.collecting import uncollected


@pytest.mark.parametrize("is_on", [True, False])
def test_collector_is_as_it_was(is_on: bool) -> None:
    """Guards a tracker that reads a damaged file: its collector is not off from then on, nor on where it was off."""
    was = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        with uncollected(), uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is is_on
        with pytest.raises(ValueError, match="invalid literal"), uncollected():
            int("damaged")
        assert gc.isenabled() is is_on
    finally:
        (gc.enable if was else gc.disable)()
