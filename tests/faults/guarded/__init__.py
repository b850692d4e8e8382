"""The guards of each package, one file each; tests/faults/guards.py puts them together."""
