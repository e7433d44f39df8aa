"""What somebody changed, and where to look when nothing typed says why: metrics, calls, logs, other alerts, texts."""
