"""Small pure helpers that an agent's own Python may import: words, tool schemas, grounding.

A content folder is no package, so what two agents share lives here. Nothing in this room calls a model.
"""
