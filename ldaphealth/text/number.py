"""Numbers as people and programs read them."""

from __future__ import annotations

from math import ceil, floor, log10

LEAST = 1e-9  # less is 0: a clock shows no shorter time


def decimal(value: float) -> str:
    """Return a finite number with at most six decimals: Nagios and checkmk accept no exponents."""
    short = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short


def percent(ratio: float | None) -> str:
    """Return a share such as `99.982 %`, or `-`. It is rounded down: 100 % is the whole."""
    if ratio is None:
        return "-"
    return f"{floor(ratio * 100_000) / 1000:g} %"


def rounded_up(number: float) -> float:
    """Return the next number with at most two digits, such as 0.13 for 0.123."""
    if number < LEAST:
        return 0.0
    digits = 1 - floor(log10(number))
    size = 10.0**digits
    return float(round(ceil(round(number * size, 6)) / size, max(0, digits)))
