"""The matching engine's rules, its rings and rows, one by one."""
