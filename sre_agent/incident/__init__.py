"""The nouns every room shares: incident, alert, target, event, clock, errors. No I/O here."""
