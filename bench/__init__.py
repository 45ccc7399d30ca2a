"""Benchmarks against peers, in pairs in one run; they print tables and judge nothing."""
