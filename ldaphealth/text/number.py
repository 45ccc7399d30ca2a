"""Numbers as Nagios and checkmk read them: decimal, because neither knows exponents.

Both sinks call it.
"""

from __future__ import annotations


def decimal(value: float) -> str:
    """Print a finite number with at most six decimals."""
    short = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
