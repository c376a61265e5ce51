"""The table of messages: one row a message, whose rules every codec relies on."""

from itertools import pairwise

import pytest

from market.codes import Tag
from market.commands import Command
from market.events import Event
from market.feed_messages import FeedMessage
from market.messages import MESSAGES, SPEC_BY_TAG, TAG_BY_MESSAGE, MessageSpec
from market.session_messages import SessionMessage

ROWS = pytest.mark.parametrize("spec", MESSAGES, ids=lambda spec: spec.name)


def test_holds_every_tag_and_every_message_once() -> None:
    """A tag says what a message is: no tag twice, none without a row, no message without a tag."""
    assert sorted(spec.tag for spec in MESSAGES) == sorted(Tag)
    assert {spec.message for spec in MESSAGES} == set((Command | Event | FeedMessage | SessionMessage).__args__)
    assert len(SPEC_BY_TAG) == len(TAG_BY_MESSAGE) == len(MESSAGES)
    assert all(TAG_BY_MESSAGE[SPEC_BY_TAG[tag].message] == tag for tag in SPEC_BY_TAG)


def test_keeps_the_tags_of_the_protocol() -> None:
    """A tag is never renumbered: strangers have these integers in their programs."""
    assert {int(tag): spec.name for tag, spec in SPEC_BY_TAG.items()} == {
        1: "NewOrder",
        2: "CancelOrder",
        3: "AmendOrder",
        4: "MassCancel",
        5: "HaltSymbol",
        6: "SetPriceRange",
        16: "Accepted",
        17: "Rested",
        18: "Executed",
        19: "Canceled",
        20: "Amended",
        21: "Triggered",
        22: "Rejected",
        23: "Halted",
        24: "Trailed",
        32: "BookOrder",
        33: "BookTrade",
        34: "BestPrices",
        35: "InstrumentDefinition",
        36: "DepthLevel",
        37: "BookChecksum",
        38: "EngineHealth",
        39: "ReferencePrice",
        48: "Logon",
        49: "LoggedOn",
        50: "Heartbeat",
        51: "Logout",
    }


@ROWS
def test_has_its_fields_in_the_order_of_its_class(spec: MessageSpec) -> None:
    """The row is made from annotations, the wire from the tuple: they must be the same list."""
    assert tuple(field.name for field in spec.fields) == spec.message._fields


@ROWS
def test_may_be_cut_anywhere_among_its_defaults(spec: MessageSpec) -> None:
    """Only trailing fields may be left out, so a field with a default has none without behind it."""
    has_default = [field.default is not None for field in spec.fields]
    assert not any(earlier and not later for earlier, later in pairwise(has_default))
    assert spec.required_count == has_default.count(False)


@ROWS
def test_has_fields_that_fit_on_the_wire_and_defaults_that_are_allowed(spec: MessageSpec) -> None:
    """Integers of 64 bits, bounds the right way round, and a default that its own bounds let through."""
    for field in spec.fields:
        assert field.kind in (int, str)
        assert -(2**63) <= field.bounds.low <= field.bounds.high < 2**63
        extent = len(field.default) if isinstance(field.default, str) else field.default
        assert extent is None or field.bounds.low <= extent <= field.bounds.high
