"""What must hold between batches, their lines, the redemptions behind them, and the ledger; one file each."""
