"""Walks one incident through the rooms. lifecycle is pure; the responder acts on what it says."""
