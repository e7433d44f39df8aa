"""What happened and what would help: a LangGraph that only reads. The only room with a model in it.

LangGraph ends at the proposal: a node that is interrupted runs again from its top, so nothing here has effects.
"""
