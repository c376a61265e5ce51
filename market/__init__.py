"""The words and numbers that every room shares; imports nothing of ours."""
