"""Whose is it? Class and owner from labels, weakened by evidence. Pure. Unknown is never infra."""
