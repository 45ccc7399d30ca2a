"""The newest verdicts, observations and durations in memory, for readers in other threads."""
