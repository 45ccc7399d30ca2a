"""The daemon: its loop, its threads, and what it answers."""
