"""Breaks things on purpose, and checks what is left.

Each scenario disturbs a district that is being worked on, and holds what the workers were told
against what the database holds. ``python scripts/dev.py faults`` runs all of them.
"""
