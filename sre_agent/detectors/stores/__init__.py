"""Redis, PostgreSQL, queues: from their own state, from exporters, from cloud metrics."""
