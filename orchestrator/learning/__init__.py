"""From logged work to a specialist that passed a gate. One module a step; `project.py` holds what they share.

collect -> scrub -> (cluster) -> (choose) -> train -> gate -> promote; later: watch, roll back
"""
