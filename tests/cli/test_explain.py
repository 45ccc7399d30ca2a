"""What `explain` says of a weight."""

from __future__ import annotations

import pytest

from ldaphealth.cli.operate import _share_lines


@pytest.mark.parametrize(
    ("share", "leaning", "leaning_to", "lines"),
    [
        (1.0, 0, 1.0, []),
        (1.0, 2, 0.5, ["  has 100% of its weight; 2 rounds in a row call for 50%"]),
        (0.25, 0, 0.25, ["  has 25% of its weight"]),
        (0.5, 1, 1.0, ["  has 50% of its weight; 1 rounds in a row call for 100%"]),
    ],
)
def test_a_weight_that_is_not_full_or_changes_soon_is_told(
    share: float, leaning: int, leaning_to: float, lines: list[str]
) -> None:
    past = {"weight_share": share, "leaning_rounds": leaning, "leaning_to_share": leaning_to}

    assert _share_lines(past) == lines
