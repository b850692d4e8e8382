"""The officer's pages over real HTTP."""
