"""The HTTP face: webhooks, health, metrics, and the JSON API."""
