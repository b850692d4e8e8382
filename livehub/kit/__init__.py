"""Tools that know nothing of live commerce."""
