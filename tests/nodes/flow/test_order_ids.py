"""Ids of orders, one by one and many at once."""

from itertools import islice

from nodes.flow.market import OrderIds


def test_each_id_is_given_once_however_it_is_taken() -> None:
    """An id that is given twice is an order that its engine refuses."""
    ids = OrderIds(10)
    assert next(ids) == 11
    assert list(islice(ids, 3)) == [12, 13, 14]
    assert next(ids) == 15
    ids.skip(12)
    taken = [next(ids), *islice(ids, 2)]
    ids.skip(100)
    taken += [next(ids), *islice(ids, 2)]
    assert taken == sorted(set(taken))
    assert min(taken) > 15
    assert taken[3:] == [101, 102, 103]
