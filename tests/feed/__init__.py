"""The book feed through real processes that lose, die and lag."""
