"""Do it, once: the verbs the agent owns, the ledger of intents, and the executor.

The executor accepts nothing but a sealed permit. Intent row first, precondition at the target, observe,
close. An unknown outcome goes to a human; it is never retried.
"""
