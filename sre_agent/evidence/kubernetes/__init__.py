"""What Kubernetes objects say, read once for everybody: state, owners, events, scope, causes. No I/O here."""
