"""Judges what an inventory says, on the controller, before anything is reached or billed.

`judge` is the whole of it. What a role wants of its variables is in its argument specs and in roles/ROLE/preflight.py;
what roles want of each other is in `joins`.
"""
