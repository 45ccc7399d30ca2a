"""The numbers and texts in facts apart from their shape, so that only what changes is kept. Pure.

A `Shape` is facts as plain data with a mark in the place of each number and text, its leaves. A
float that is a whole number of microseconds is an integer here; whatever it measures, it comes back
the same. A text that was there before is a small number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import copysign
from typing import Any

Shape = Any
Leaf = int | float | str
INTEGER, FLOAT, TEXT = 2, 0.5, ""  # the marks; none is equal to a truth value or to another one
LARGEST = 2**52  # below it, each integer divided by a million comes back
LONGEST = 2**63  # what the encoding can hold
EPOCH = 10**15  # microseconds: larger ones are moments, which go on as time does


def units(value: float) -> int | None:
    """Return a float in whole microseconds, None if that is not the same number."""
    scaled = value * 1e6
    if not -LARGEST < scaled < LARGEST:
        return None
    count = round(scaled)
    if count == 0:
        return 0 if value == 0.0 and copysign(1.0, value) > 0 else None
    return count if count / 1e6 == value else None


def short(value: float) -> int | float:
    """Return a float in whole microseconds if that is the same number, else as it is."""
    count = units(value)
    return value if count is None else count


def long(value: int | float) -> float:
    """Return the number that `short` got."""
    return value / 1e6 if type(value) is int else float(value)


def shape_of(plain: Any, leaves: list[Leaf]) -> Shape:
    """Return the shape of plain data, and append its leaves."""
    kind = type(plain)
    if kind is str or kind is int or kind is float:
        leaves.append(plain)
        return TEXT if kind is str else INTEGER if kind is int else FLOAT
    if kind is dict:
        return {key: shape_of(each, leaves) for key, each in plain.items()}
    if kind is list or kind is tuple:
        return [shape_of(each, leaves) for each in plain]
    return plain


def marks_of(shape: Shape) -> list[Leaf]:
    """Return the marks of a shape, in the order of its leaves."""
    marks: list[Leaf] = []
    shape_of(shape, marks)
    return marks


def with_leaves(shape: Shape, leaves: Iterator[Leaf]) -> Any:
    """Return the plain data of a shape and its leaves."""
    kind = type(shape)
    if kind is str or kind is int or kind is float:
        return next(leaves)
    if kind is dict:
        return {key: with_leaves(each, leaves) for key, each in shape.items()}
    if kind is list:
        return [with_leaves(each, leaves) for each in shape]
    return shape


class LeafWriter:
    """Leaves as their differences to those before, and texts as the number of an earlier one."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}

    def differences(
        self, leaves: Sequence[Leaf], before: Sequence[int | str], passed: int
    ) -> tuple[list[Leaf], list[int | str]]:
        """Return the difference of each leaf, and what is before the next ones.

        `before` is empty, or of the same shape. `passed` is the time since then, in microseconds.
        """
        rows: list[Leaf] = []
        after: list[int | str] = []
        for place, leaf in enumerate(leaves):
            if isinstance(leaf, str):
                rows.append(0 if before and before[place] == leaf else self._text(leaf))
                after.append(leaf)
                continue
            count = leaf if type(leaf) is int else units(leaf)
            if count is None:
                rows.append(leaf)
                after.append(0)
                continue
            after.append(count)
            difference = count - _expected(before, place, passed)
            rows.append(difference if -LONGEST <= difference < LONGEST else str(difference))
        return rows, after

    def _text(self, text: str) -> int | str:
        """Return how many texts ago it was first there, or a new text itself."""
        known = self._texts.get(text)
        if known is not None:
            return len(self._texts) - known
        self._texts[text] = len(self._texts)
        return text


class LeafReader:
    """Leaves from what a `LeafWriter` made of them."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def leaves(
        self,
        rows: Sequence[Leaf],
        marks: Sequence[Leaf],
        before: Sequence[int | str],
        passed: int,
    ) -> tuple[list[Leaf], list[int | str]]:
        """Return the leaves that `LeafWriter.differences` got, and what is before the next ones."""
        leaves: list[Leaf] = []
        after: list[int | str] = []
        for place, (row, mark) in enumerate(zip(rows, marks, strict=True)):
            if mark == TEXT:
                text = str(before[place]) if row == 0 else self._text(row)
                leaves.append(text)
                after.append(text)
            elif type(row) is float:
                leaves.append(row)
                after.append(0)
            else:
                count = int(row) + _expected(before, place, passed)
                leaves.append(count / 1e6 if mark == FLOAT else count)
                after.append(count)
        return leaves, after

    def _text(self, row: Leaf) -> str:
        if isinstance(row, str):
            self._texts.append(row)
            return row
        return self._texts[-int(row)]


def _expected(before: Sequence[int | str], place: int, passed: int) -> int:
    if not before:
        return 0
    count = int(before[place])
    return count + passed if count > EPOCH else count
