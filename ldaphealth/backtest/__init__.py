"""What other settings would have decided, from the journal: `ldaphealth backtest`."""
