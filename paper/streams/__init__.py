"""What clients listen to: market streams, and each account's own stream.

Begin with `channels` (what each market stream tells) and `user_documents` (what an account is told); the hubs know who
listens, `sockets` writes. It may import calls, for the documents that both tell, and what calls may import.
"""
