"""A client and a subscriber that were written from docs/protocol.md alone, in Perl, against real processes."""
