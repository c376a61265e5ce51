"""The gateway's node: sockets around sessions/core.py; `references` follows the prices that orders are held to."""
