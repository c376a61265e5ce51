"""Tests of the documents: their tables equal the code, their programs run."""
