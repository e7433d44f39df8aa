"""Prompts, models, scores and providers as they were seen, and what changed with them. No I/O here."""
