"""Tests of the journal: nothing acknowledged is lost, nothing damaged is believed."""
