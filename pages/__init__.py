"""Reports for a browser: documents in, one HTML text out that asks nobody for anything. Begin at `day.py`.

Imports `reports`, `screens` (how amounts stand) and `market`.
"""
