"""Decisions as pure functions: what to quote, and how to get from the orders that are live to those that are wanted."""
