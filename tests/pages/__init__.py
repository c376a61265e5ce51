"""What the commands print, at every size of a terminal."""
