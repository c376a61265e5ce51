"""Who may ask, and how often: API keys and their files, signatures, rate limits.

Begin with `accounts`, then `signing` and `usage`. It imports no other sub-room.
"""
