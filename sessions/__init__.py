"""TCP sessions without their sockets: who is logged on, which commands may pass, and what each client is told."""
