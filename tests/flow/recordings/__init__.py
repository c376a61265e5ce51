"""Tests of the order flows: made up, and replayed from a recording."""
