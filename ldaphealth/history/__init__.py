"""What the history shows of a period: pure functions on what `store/` reads from it."""
