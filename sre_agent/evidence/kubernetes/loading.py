"""One lock for whoever loads the Kubernetes SDK.

The SDK loads its parts when they are first named. Two threads that do so at once, each in another order, end in the
interpreter's import deadlock, and the loser leaves a half-loaded package behind that stays broken as long as the process lives.
"""

import threading

LOADING = threading.Lock()
"""Held while any of its parts is taken for what may be the first time, and never while a server or a program is waited for."""
