"""A line of blocks whose heights are numbers, for terminals, tickets and mails."""

from __future__ import annotations

from collections.abc import Iterable

BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-=+*#@"


def sparkline(heights: Iterable[float | None], most: float, blocks: str = BLOCKS) -> str:
    """Return a block for each number from 0 to `most`, and a gap for None; below 0 is as 0."""
    return "".join(_block(each, most, blocks) for each in heights)


def _block(height: float | None, most: float, blocks: str) -> str:
    if height is None:
        return " "
    share = height / most if most > 0 else 0.0
    return blocks[max(0, min(len(blocks) - 1, int(share * len(blocks))))]
