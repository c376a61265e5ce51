"""The api's node: `book_views` are the replicas of the books, rendered once for all who ask."""
