"""A comparison that goes on for ever: its pace, and what it knows of differences."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from ldaphealth.content.continuous import MOST_KNOWN, ContinuousComparison
from ldaphealth.content.difference import Difference, EntryVersion
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.slices import END, Cursor

HOUR = 3600.0
BOTH = ("c/a", "c/b")


def difference(uuid: int, dn: str = "") -> Difference:
    version = EntryVersion(str(UUID(int=uuid)), "csn")
    return Difference(dn or f"cn={uuid}", {"c/a": version}, ("c/b",))


def continuous(*known: Difference, low: int = 0) -> ContinuousComparison:
    return ContinuousComparison(cursor=Cursor(10, low), began_at=100.0, known=known)


def walked(
    before: ContinuousComparison, to: int, *found: Difference, compared: Collection[str] = BOTH
) -> ContinuousComparison:
    progress = ComparisonProgress(cursor=Cursor(10, to), entries={"c/a": 7})
    progress.add_differences(found)
    return before.after(progress, compared)


def test_it_is_due_as_time_goes_by() -> None:
    at = {part: Cursor(10, END * part // 4) for part in range(5)}
    here = continuous()

    assert here.is_due(at[0], 100.0, HOUR)
    assert not here.is_due(at[1], 100.0, HOUR)
    assert here.is_due(at[1], 100.0 + HOUR / 4, HOUR)
    assert not here.is_due(at[4], 100.0 + 9 * HOUR, HOUR)


def test_the_next_pass_begins_when_its_time_has_come_and_knows_what_was_known() -> None:
    done = walked(continuous(), END, difference(5))

    assert done.at(100.0 + HOUR / 2, HOUR) == done
    again = done.at(100.0 + HOUR, HOUR)
    assert (again.cursor.low, again.began_at, again.passes) == (0, 100.0 + HOUR, 1)
    assert (again.known, again.entries) == (done.known, {})


def test_what_was_not_found_again_in_its_slice_is_gone_and_the_rest_stays() -> None:
    before = continuous(difference(5), difference(15), difference(25), low=10)
    after = walked(before, 20, difference(16))

    assert [each.dn for each in after.known] == ["cn=5", "cn=25", "cn=16"]
    assert after.entries == {"c/a": 7}


def test_a_slice_that_was_not_compared_with_a_server_says_nothing_of_it() -> None:
    before = continuous(difference(5))

    assert walked(before, 10, compared={"c/a"}).known == before.known
    assert walked(before, 10).known == ()


def test_one_that_is_found_again_is_known_once() -> None:
    before = continuous(difference(5))

    assert walked(before, 10, difference(5)).known == before.known
    assert walked(before, 10, difference(5), compared={"c/a"}).known == before.known


def test_what_is_known_is_bounded() -> None:
    progress = ComparisonProgress(cursor=Cursor(10, END), most=2 * MOST_KNOWN)
    progress.add_differences(map(difference, range(2 * MOST_KNOWN)))

    assert len(continuous().after(progress, BOTH).known) == MOST_KNOWN


def test_a_look_takes_away_what_somebody_mended_and_nothing_else() -> None:
    same, other = EntryVersion(str(UUID(int=1)), "csn"), EntryVersion(str(UUID(int=1)), "newer")
    before = continuous(*map(difference, (1, 2, 3, 4)))
    now = {
        "c/a": {"cn=1": same, "cn=2": EntryVersion(str(UUID(int=2)), "csn"), "cn=3": other},
        "c/b": {"cn=1": same},
    }

    assert [each.dn for each in before.rechecked(now).known] == ["cn=2", "cn=3"]
    assert before.rechecked({"c/a": now["c/a"]}).known == before.known  # the other cannot be read


def test_all_that_is_known_is_looked_at_in_turn() -> None:
    before = continuous(*map(difference, range(250)))
    nothing: dict[str, dict[str, EntryVersion]] = {"c/a": {}}
    looked: set[str] = set()
    for _ in range(3):
        looked |= {each.dn for each in before.to_recheck()}
        before = before.rechecked(nothing)

    assert len(looked) == 250


THREE = ("c/a", "c/b", "c/c")


def shown(csn: str) -> dict[str, EntryVersion]:
    return {"cn=1": EntryVersion(str(UUID(int=1)), csn)}


def odd_one(*odd: str, servers: Collection[str] = THREE) -> Difference:
    versions = {each: shown("old" if each in odd else "csn")["cn=1"] for each in servers}
    return Difference("cn=1", versions)


def test_what_was_mended_is_gone_although_another_server_is_down() -> None:
    now = {"c/a": shown("csn"), "c/b": shown("csn")}

    assert continuous(odd_one("c/a")).rechecked(now).known == ()
    assert walked(continuous(odd_one("c/a")), 10, compared={"c/a", "c/b"}).known == ()
    assert continuous(odd_one("c/c")).rechecked(now).known != ()  # that one may still be so
    assert walked(continuous(odd_one("c/c")), 10, compared={"c/a", "c/b"}).known != ()
    assert continuous(odd_one("c/a")).rechecked(now | {"c/b": shown("old")}).known != ()


def test_who_is_odd_stays_so_while_fewer_servers_find_the_same() -> None:
    before = continuous(odd_one("c/a"))
    of_two = odd_one("c/a", servers=BOTH)  # of two nobody is right

    assert walked(before, 10, of_two, compared=set(BOTH)).known == before.known
    assert walked(before, 10, odd_one("c/b"), compared=set(THREE)).known == (odd_one("c/b"),)


def test_a_difference_with_a_server_that_is_gone_is_one_of_the_others_or_none() -> None:
    four = (*THREE, "c/d")
    two_two = odd_one("c/a", "c/d", servers=four)  # nobody is right
    missing = Difference("cn=1", {"c/a": shown("csn")["cn=1"]}, ("c/b", "c/c"))

    assert continuous(two_two).among(THREE).known == (odd_one("c/a"),)
    assert continuous(odd_one("c/c")).among(BOTH).known == ()
    assert continuous(difference(1)).among({"c/a"}).known == ()
    assert continuous(missing).among({"c/b", "c/c"}).known == ()  # it is nowhere now
    assert continuous(missing).among(THREE).known == (missing,)
