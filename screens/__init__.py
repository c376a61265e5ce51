"""What the terminal shows, and the page of the api: documents in, text out; nothing is asked or decided here."""
