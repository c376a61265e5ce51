"""What the commands do, where that is more than one call: read, ask, and return or print what a person is to see."""
