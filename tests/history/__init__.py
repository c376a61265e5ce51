"""Tests of the history database."""
