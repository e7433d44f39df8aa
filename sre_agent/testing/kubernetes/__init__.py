"""The inside of the Kubernetes API stand-in: store, controllers, admission, routes. Start it with `testing.kubernetes_api`.

Law: what is not implemented answers 501; nothing is quietly ignored. Behaviour follows what is known of a 1.36 API server's
answers; it has not been compared with a live one from here (`pytest -m cluster` does that, given KUBECONFIG).
"""
