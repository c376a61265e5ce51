"""Tests of the words and numbers that every room shares."""
