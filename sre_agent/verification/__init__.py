"""Did it help? Judged by separate read-only probes: alert condition, service level, soak. Pure."""
