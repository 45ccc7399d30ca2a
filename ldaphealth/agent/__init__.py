"""The daemon: its main loop, its threads, and its answers to requests."""
