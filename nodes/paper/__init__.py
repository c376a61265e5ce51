"""The paper exchange's node: the face of paper/ on a socket, its engines behind it, its books from the feed."""
