"""Benchmarks against other programs, in pairs in one run; they print tables and have no limits."""
