"""Which shard a cluster belongs to: the same one in every version, and only one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.shard import MOST_SHARDS, WHOLE, Shard, shard_named, shard_of, shards_of

COUNTS = st.integers(1, MOST_SHARDS)
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", fullmatch=True)
# Agents of two versions may run at the same time: a cluster that moved would have two, or none.
INDEXES = {
    "example": {2: 2, 3: 2, 4: 2, 8: 6},
    "people": {2: 1, 3: 3, 4: 3, 8: 8},
    "c": {2: 1, 3: 3, 4: 4, 8: 8},
    "cluster-0001": {2: 1, 3: 3, 4: 3, 8: 7},
    "a.b_c-d": {2: 2, 3: 2, 4: 4, 8: 8},
    "e": {2: 2, 3: 2, 4: 2, 8: 5},
    "ZZ": {2: 1, 3: 1, 4: 1, 8: 1},
}


@pytest.mark.parametrize("cluster", INDEXES)
def test_a_cluster_stays_where_it_always_was(cluster: str) -> None:
    assert {count: shard_of(cluster, count).index for count in (2, 3, 4, 8)} == INDEXES[cluster]


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_hash_is_not_that_of_one_process(seed: str) -> None:
    program = "from ldaphealth.shard import *; print(shard_of('people', 8))"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert found.stdout == "8/8\n"


@given(NAMES, COUNTS)
def test_each_cluster_belongs_to_one_shard(cluster: str, count: int) -> None:
    assert [each.holds(cluster) for each in shards_of(count)].count(True) == 1


@given(NAMES, st.integers(1, MOST_SHARDS - 1))
def test_one_more_shard_only_gets_clusters(cluster: str, count: int) -> None:
    after = shard_of(cluster, count + 1)

    assert after.index in (shard_of(cluster, count).index, count + 1)


def test_many_clusters_are_divided_evenly() -> None:
    found = Counter(shard_of(f"cluster-{number:04}", 4).index for number in range(2000))

    assert all(400 < found[index] < 600 for index in (1, 2, 3, 4)), found


@given(COUNTS)
def test_each_has_a_name_and_a_directory_of_its_own(count: int) -> None:
    shards, common = shards_of(count), Path("/run/ldaphealth")

    assert [shard_named(str(each)) for each in shards] == [*shards]
    assert len({each.below(common) for each in shards}) == count
    assert {each.above(each.below(common)) for each in shards} == {common}


def test_the_only_one_of_one_is_the_agent_of_all_clusters() -> None:
    assert shard_named("1/1") == WHOLE
    assert WHOLE.below(Path("/run/ldaphealth")) == Path("/run/ldaphealth")
    assert not Shard(1, 2).is_whole


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0/4", "'0/4': of 4 shards the first is 1/4, the last 4/4"),
        ("5/4", "'5/4': of 4 shards the first is 1/4, the last 4/4"),
        ("1/0", "'1/0': there can be 1 to 256 shards"),
        ("1/257", "'1/257': there can be 1 to 256 shards"),
        *(
            (text, f"{text!r} is not I/N, such as 2/4 for the second of four shards")
            for text in ("a/b", "", "2", "2/", "/4", "-1/4", "2/4/8", " 2/4", "2/4\n", "²/4", "2-4")
        ),
    ],
)
def test_what_is_no_shard_is_said_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        shard_named(text)
