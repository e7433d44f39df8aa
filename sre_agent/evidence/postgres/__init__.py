"""PostgreSQL as it was seen: instances, and clusters under Patroni. No I/O here."""
