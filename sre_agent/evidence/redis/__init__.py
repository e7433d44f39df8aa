"""Redis, Redis Cluster and BullMQ queues as they were seen, and how well they are. No I/O here."""
