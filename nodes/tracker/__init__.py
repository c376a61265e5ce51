"""The tracker's node: `bookkeeper` reads the venue's trades and keeps the daily files of reports/."""
