"""What a person is told of a desk: what should not be, since when, and to whom that is said."""
