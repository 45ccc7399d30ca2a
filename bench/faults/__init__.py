"""Faults injected into a real cluster, and what each of several checkers made of them."""
