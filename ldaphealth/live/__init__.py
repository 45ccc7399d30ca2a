"""The latest of everything in memory, for readers in other threads."""
