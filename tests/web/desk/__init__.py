"""The desk's pages over real HTTP."""
