"""Recordings of markets: read, checked, kept as arrays, written.

Begin with `recording` (what a file says, line by line), then `changes` (the same as arrays, kept by `cache`).
`playlist` puts several in a row, `public_data` reads an exchange's archives, `recorder` and `files` write.
Imports no flow that is made of them.
"""
