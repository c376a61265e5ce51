"""The matching engine: pure and deterministic; no sockets, no clock, no logging, no allocation once started."""
