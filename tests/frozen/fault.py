"""How a fault is written down: what changes the shop, and what a good answer names."""


def collection():
    """An empty book of faults by name, and the decorator that writes one into it.

    A fault takes the kinds that name it, and the objects that are the cause ("*": as a prefix); any one of each will do.
    """
    book = {}

    def fault(kinds, *objects):
        def keep(change):
            book[change.__name__] = (change, frozenset(kinds), objects)
            return change

        return keep

    return book, fault
