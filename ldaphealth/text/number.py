"""Decimal numbers for Nagios and checkmk, which do not accept exponents."""

from __future__ import annotations


def decimal(value: float) -> str:
    """Return a finite number with at most six decimals."""
    short = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
