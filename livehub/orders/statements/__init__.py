"""Platforms' settlement statements: read, kept, matched to order lines, and every difference explained."""
