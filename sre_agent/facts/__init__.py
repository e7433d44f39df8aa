"""Trusted collectors of the guard's facts, one theme a file."""
