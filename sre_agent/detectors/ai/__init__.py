"""Prompts, models, providers, tools and spending: nobody's to act on, and their owners' to know."""
