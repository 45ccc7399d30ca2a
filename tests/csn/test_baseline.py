"""Regressions that servers share: what is accepted is no regression any more, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import CSN, Regression, VectorRead, capped, cluster_regressions, regressed

START = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = 3
VECTORS = st.dictionaries(st.integers(1, 2), st.integers(0, 3)).map(
    lambda written: {sid: at(sid, after) for sid, after in written.items()}
)
READS = st.dictionaries(
    st.sampled_from("abc"),
    st.lists(VECTORS, min_size=1, max_size=5).map(
        lambda seen: [VectorRead(10.0 * n, each) for n, each in enumerate(seen)]
    ),
    min_size=1,
)


def at(sid: int, after: int) -> CSN:
    return CSN(START + timedelta(seconds=after), 0, sid, 0)


@given(READS)
def test_what_is_accepted_is_no_regression_any_more(reads: dict[str, list[VectorRead]]) -> None:
    found = cluster_regressions(reads, SIZE)
    for sid, each in found.items():
        if each.ahead or not each.can_be_accepted:
            continue
        counted = {
            server: [
                VectorRead(read.seen_at_seconds, capped(read.vector, {sid: each.regression.has}))
                for read in of
            ]
            for server, of in reads.items()
        }
        for server, of in counted.items():
            now = reads[server][-1].vector
            assert of[-1].vector == now, "what it shows now is not changed"
            before, after = regressed(reads[server]), regressed(of)
            assert sid not in after or server not in each.servers
            assert {k: v for k, v in after.items() if k != sid} == {
                k: v for k, v in before.items() if k != sid
            }


@given(READS)
def test_a_majority_is_more_than_half_of_the_servers_at_the_same_position(
    reads: dict[str, list[VectorRead]],
) -> None:
    for sid, each in cluster_regressions(reads, SIZE).items():
        shown = [reads[server][-1].vector.get(sid) for server in each.servers]
        assert shown == [each.regression.has] * len(shown)
        assert each.is_majority is (len(shown) >= 2)
        assert all(sid in regressed(reads[server]) for server in each.servers)
        assert each.can_be_accepted or each.ahead
        if each.agreed_seconds:
            assert each.is_majority


def test_the_time_of_agreement_is_that_of_the_majority_and_not_longer_than_seen() -> None:
    new, old = {1: at(1, 9)}, {1: at(1, 0)}
    reads = {
        "a": [VectorRead(0, new), VectorRead(10, old), VectorRead(100, old, 2.0)],
        "b": [VectorRead(0, new), VectorRead(30, old), VectorRead(100, old)],
        "c": [VectorRead(0, new), VectorRead(90, old), VectorRead(100, old)],
    }

    [(sid, found)] = cluster_regressions(reads, SIZE).items()

    assert (sid, found.regression) == (1, Regression(at(1, 9), at(1, 0)))
    assert (found.servers, found.ahead) == (("a", "b", "c"), ())
    assert found.agreed_seconds == 70.0
    assert cluster_regressions(reads, 6)[1].agreed_seconds == 0.0


def test_one_server_agrees_with_no_other() -> None:
    reads = {"a": [VectorRead(0, {1: at(1, 9)}), VectorRead(10, {1: at(1, 0)})]}

    found = cluster_regressions(reads, 1)[1]

    assert (found.is_majority, found.can_be_accepted) == (False, True)


def test_a_baseline_caps_only_its_own_server_ids() -> None:
    had = {1: at(1, 9), 2: at(2, 9), 3: at(3, 1)}

    assert capped(had, {1: at(1, 5), 2: None, 3: at(3, 5)}) == {1: at(1, 5), 3: at(3, 1)}
    assert capped(had, {}) == had
