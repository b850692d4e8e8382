"""What must hold between vouchers, redemptions, counters and the ledger; one file each."""
