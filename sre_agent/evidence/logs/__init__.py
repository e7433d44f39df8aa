"""Lines of logs: their patterns, their templates, and what they complain of. Attacker input. No I/O here."""
