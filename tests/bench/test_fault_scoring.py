"""Scores of trials whose changes are written down here."""

from __future__ import annotations

import math

import pytest

from bench.faults.scoring import (
    Change,
    Score,
    Trial,
    emptied_seconds,
    quantile,
    score,
    total,
)

BEGAN, UNDONE, ENDED = 100.0, 120.0, 140.0


def out(at: float, *servers: int) -> list[Change]:
    return [Change(at, server, in_service=False) for server in servers]


def back(at: float, *servers: int) -> list[Change]:
    return [Change(at, server, in_service=True) for server in servers]


def trial(*changes: Change) -> Trial:
    return Trial(
        fault="any",
        began=BEGAN,
        undone=UNDONE,
        ended=ENDED,
        changes={"checker": changes},
        not_shown={},
        reasons={},
    )


@pytest.mark.parametrize(
    ("must_go", "undecided", "changes", "expected"),
    [
        pytest.param((), (), [], Score(kept=(1, 2, 3, 4)), id="no fault, nothing done"),
        pytest.param((2,), (), [], Score(missed=(2,), kept=(1, 3, 4)), id="missed"),
        pytest.param(
            (2,),
            (),
            [*out(103, 2), *back(124, 2)],
            Score(found=(2,), kept=(1, 3, 4), detect_seconds=(3,), recover_seconds=(4,)),
            id="found and back",
        ),
        pytest.param(
            (2,),
            (),
            out(103, 2),
            Score(found=(2,), kept=(1, 3, 4), detect_seconds=(3,), not_back=(2,)),
            id="never back",
        ),
        pytest.param(
            (2,),
            (),
            [*out(103, 2), *back(110, 2)],
            Score(found=(2,), kept=(1, 3, 4), detect_seconds=(3,), recover_seconds=(0,)),
            id="back before the fault was undone",
        ),
        pytest.param(
            (2,),
            (),
            [*out(103, 2), *back(110, 2), *out(115, 2), *back(126, 2)],
            Score(found=(2,), kept=(1, 3, 4), detect_seconds=(3,), recover_seconds=(6,)),
            id="out twice: found the first time, back the last time",
        ),
        pytest.param(
            (2,),
            (),
            [*out(121, 2), *back(126, 2)],
            Score(missed=(2,), kept=(1, 3, 4)),
            id="out when the fault was undone already",
        ),
        pytest.param(
            (2,),
            (),
            [*out(102, 3), *back(104, 3)],
            Score(missed=(2,), kept=(1, 4), removed_falsely=(3,)),
            id="the wrong one",
        ),
        pytest.param(
            (),
            (),
            [*out(131, 1), *back(136, 1)],
            Score(kept=(2, 3, 4), removed_falsely=(1,)),
            id="removed falsely when all was well again",
        ),
        pytest.param(
            (2,),
            (4,),
            out(104, 4),
            Score(missed=(2,), kept=(1, 3)),
            id="one of which either is right",
        ),
        pytest.param(
            (2,),
            (),
            [*out(105, 1, 2, 3, 4), *back(109, 1), *back(130, 2, 3, 4)],
            Score(
                found=(2,),
                removed_falsely=(1, 3, 4),
                detect_seconds=(5,),
                recover_seconds=(10,),
                emptied_seconds=4,
            ),
            id="an emptied pool",
        ),
    ],
)
def test_a_trial_is_compared_with_the_truth(
    must_go: tuple[int, ...], undecided: tuple[int, ...], changes: list[Change], expected: Score
) -> None:
    assert score(trial(*changes), "checker", must_go, undecided) == expected


def test_a_fault_that_begins_later_is_detected_from_then_on() -> None:
    changes = trial(*out(103, 2), *out(106, 3))

    found = score(changes, "checker", (2, 3), later_seconds={3: 4.0})

    assert found.detect_seconds == (3, 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([], 0, id="nothing done"),
        pytest.param(out(105, 1, 2, 3), 0, id="one left"),
        pytest.param(out(105, 1, 2, 3, 4), 35, id="until the end"),
        pytest.param([*out(105, 1, 2, 3, 4), *back(106, 1), *out(110, 1)], 31, id="twice"),
        pytest.param([*out(90, 1, 2, 3, 4), *back(102, 1)], 2, id="before it began"),
        pytest.param([*back(106, 1), *out(105, 1, 2, 3, 4)], 1, id="in any order"),
    ],
)
def test_seconds_with_an_emptied_pool(changes: list[Change], expected: float) -> None:
    assert emptied_seconds(changes, BEGAN, ENDED) == expected


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([], 0.5, None, id="nothing"),
        pytest.param([7], 0.9, 7, id="one"),
        pytest.param([3, 1, 2], 0.5, 2, id="the one in the middle"),
        pytest.param([1, 2, 3, 4], 0.5, 2, id="the lower of two"),
        pytest.param(range(1, 11), 0.9, 9, id="nine of ten"),
        pytest.param(range(1, 12), 0.9, 10, id="ten of eleven"),
    ],
)
def test_a_quantile_is_one_of_the_values(
    values: list[float], share: float, expected: float | None
) -> None:
    assert quantile(values, share) == expected


def test_totals_sum_up_and_take_quantiles_over_all_servers() -> None:
    summed = total(
        [
            Score(found=(2, 3), kept=(1, 4), detect_seconds=(1, 5), recover_seconds=(2, 8)),
            Score(missed=(2,), kept=(1, 3), removed_falsely=(4,), emptied_seconds=3),
            Score(kept=(1, 2, 3, 4), emptied_seconds=4),
        ]
    )

    assert (summed.trials, summed.trials_with_false_removal) == (3, 1)
    assert (summed.found, summed.must_go, summed.kept, summed.must_stay) == (2, 3, 8, 9)
    assert summed.sensitivity is not None
    assert math.isclose(summed.sensitivity, 2 / 3)
    assert summed.specificity is not None
    assert math.isclose(summed.specificity, 8 / 9)
    assert (summed.detect_median_seconds, summed.detect_p90_seconds) == (1, 5)
    assert (summed.recover_median_seconds, summed.recover_p90_seconds) == (2, 8)
    assert summed.emptied_seconds == 7


def test_without_servers_there_are_no_shares() -> None:
    assert (total([]).sensitivity, total([]).specificity) == (None, None)
