"""Proofs about the policies: what holds for every request there can be, not for those somebody thought of.

One translation of the syntax tree over an abstract algebra, read twice: as z3 formulas (solver.py, the only import
of z3, a development tool) and as Python values (concrete.py), which a differential test holds against Cedar itself.
Nothing here is needed, or imported, at run time. Pure: dice and texts come in as parameters.

Model: texts are unbounded, integers have exactly the bounds that pydantic enforces on the same fields, facts are
independent of each other (a larger world than the real one, so what is proved of it holds in the real one too).
A construct that is not translated raises Unsupported: nothing is proved by being ignored.
"""
