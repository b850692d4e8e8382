"""Everybody at every door of a town of two centres."""
