"""The inside of the Kubernetes API stand-in: store, controllers, admission, routes. Start it with `testing.kubernetes_api`.

Law: what is not implemented answers 501; nothing is quietly ignored. Behaviour follows the API server's own sources
(registry/core/pod/storage/eviction.go, apimachinery/pkg/api/errors) and answers seen from a 1.36 server.
"""
