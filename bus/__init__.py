"""Everything that crosses a process boundary; the only importer of zmq."""
