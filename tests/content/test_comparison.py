"""What becomes of servers that fail, lag, lie or write while they are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from ldaphealth.content.comparison import MOST_RECHECKS, Comparison, ComparisonLimits, TooFewError
from ldaphealth.content.difference import EntryVersion
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.reader import SliceEntries
from ldaphealth.content.slices import Cursor, Slice
from ldaphealth.csn import CSN, Vector
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import Failure, FailureKind, Role, Server
from ldaphealth.survey import StoppedError

REFUSED = Failure(FailureKind.CONNECT, "connection refused")
DENIED = Failure(FailureKind.BIND, "bind: invalidCredentials", "invalidCredentials")
START = datetime(2026, 1, 1, tzinfo=UTC)


def position(seconds: int, sid: int = 1) -> CSN:
    return CSN(START + timedelta(seconds=seconds), 0, sid, 0)


class Fake:
    """A server in memory. `failures` are told one by one, before anything is answered."""

    def __init__(  # noqa: PLR0913  what a server may do
        self,
        name: str,
        entries: Mapping[int, str],
        *,
        failures: Iterable[Failure] = (),
        vectors: Iterable[Vector] | None = None,
        on_look: Callable[[dict[int, str]], object] | None = None,
        role: Role = Role.PROVIDER,
        values: Mapping[int, Mapping[str, str]] = {},
        hidden: Iterable[str] = (),
    ) -> None:
        self.server = Server(cluster="c", name=name, uri=f"ldap://{name}", role=role)
        self.content = dict(entries)
        self.asked = 0
        self.values, self.hidden = values, {*hidden}
        self.excluded: set[str] = set()
        self.attributes: set[str] = set()
        self._failures = iter(failures)
        self._vectors: Iterator[Vector] = iter(vectors or ({1: position(0)} for _ in count()))
        self._on_look = on_look

    def shows_entries(self) -> bool:
        """Tell it of the content."""
        self._fail()
        return bool(self.content)

    def vector(self) -> Vector:
        """Return the next one."""
        self._fail()
        return next(self._vectors)

    def part(self, wanted: Slice, most: int) -> SliceEntries:
        """Return what is in the slice."""
        self._fail()
        found = {
            uuid: (csn, f"cn={uuid}", self._digest(uuid))
            for uuid, csn in self.content.items()
            if wanted.low <= uuid <= wanted.high
        }
        if len(found) > most:
            return SliceEntries(dict([*found.items()][: most + 1]), is_whole=False)
        return SliceEntries(found)

    def versions(self, dns: Iterable[str]) -> dict[str, EntryVersion]:
        """Return what there is now."""
        self._fail()
        if self._on_look:
            self._on_look(self.content)
        return {
            f"cn={uuid}": EntryVersion(str(UUID(int=uuid)), csn, self._digest(uuid))
            for uuid, csn in self.content.items()
            if f"cn={uuid}" in set(dns)
        }

    def digests(self, dns: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return what it shows."""
        wanted = {*dns}
        return {f"cn={uuid}": self._shown(uuid) for uuid in self.content if f"cn={uuid}" in wanted}

    def unreadable(self, wanted: Iterable[tuple[str, str]]) -> set[str]:
        """Return what it hides."""
        return {name for _, name in wanted} & self.hidden

    def exclude(self, names: Iterable[str]) -> None:
        """Show them no more."""
        self.excluded.update(names)

    def _shown(self, uuid: int) -> dict[str, str]:
        without = self.hidden | self.excluded
        shown = self.values.get(uuid, {})
        return {name: value for name, value in shown.items() if name not in without}

    def _digest(self, uuid: int) -> str:
        return str(sorted(self._shown(uuid).items())) if self._shown(uuid) else ""

    def _fail(self) -> None:
        self.asked += 1
        failure = next(self._failures, None)
        if failure is not None:
            raise SessionError(failure)


class Clock:
    """Time goes by only where somebody waits."""

    seconds = 0.0

    def pause(self, seconds: float) -> None:
        """Let it go by."""
        self.seconds += seconds

    def now(self) -> float:
        """Return it."""
        return self.seconds


def compared(
    *servers: Fake, wanted: int = 100, limits: ComparisonLimits | None = None
) -> ComparisonProgress:
    progress, clock = ComparisonProgress(cursor=Cursor(wanted)), Clock()
    comparison = Comparison(servers, progress, limits or ComparisonLimits(), clock.pause, clock.now)
    try:
        comparison.begin()
        while not progress.cursor.is_done:
            comparison.step()
    except TooFewError:
        assert len(progress.not_compared) >= len(servers) - 1
    return progress


def dns(progress: ComparisonProgress) -> list[str]:
    return [each.dn for each in progress.differences]


SAME = dict.fromkeys(range(20), "csn")


def test_all_is_compared_in_slices_as_small_as_wanted() -> None:
    progress = compared(Fake("a", SAME), Fake("b", SAME), wanted=3)

    assert (progress.entries, progress.different) == ({"c/a": 20, "c/b": 20}, 0)


def test_a_difference_is_found_wherever_it_is() -> None:
    progress = compared(
        Fake("a", SAME), Fake("b", SAME | {3: "other"}), Fake("c", {**SAME, 99: "csn"}), wanted=4
    )

    assert (dns(progress), progress.different) == (["cn=3", "cn=99"], 2)
    assert progress.lacking == {"c/a": 1, "c/b": 1}


def test_all_differences_are_counted_and_the_first_are_kept() -> None:
    progress = ComparisonProgress(cursor=Cursor(100), most=2)
    clock = Clock()
    comparison = Comparison(
        [Fake("a", SAME), Fake("b", {1: "csn"})], progress, ComparisonLimits(), clock.pause
    )
    while not progress.cursor.is_done:
        comparison.step()

    assert (len(progress.differences), progress.different, progress.lacking) == (2, 19, {"c/b": 19})


def test_an_entry_that_always_changes_is_called_nothing() -> None:
    versions = count()

    def change(content: dict[int, str]) -> None:
        content[3] = f"csn {next(versions)}"

    moving = Fake("b", SAME | {3: "new"}, on_look=change)
    progress = compared(Fake("a", SAME), moving)

    assert (progress.different, progress.unsettled) == (0, 1)
    assert next(versions) == MOST_RECHECKS


@pytest.mark.parametrize("failures", [1, 2], ids=["once", "twice"])
def test_a_connection_that_breaks_is_made_again(failures: int) -> None:
    progress = compared(Fake("a", SAME), Fake("b", SAME, failures=[REFUSED] * failures))

    assert (progress.not_compared, progress.entries["c/b"]) == ({}, 20)


def test_a_server_that_is_gone_is_left_out_and_the_others_go_on() -> None:
    gone = Fake("c", {}, failures=[REFUSED] * 99)
    progress = compared(Fake("a", SAME), Fake("b", SAME | {3: "other"}), gone)

    assert progress.not_compared == {"c/c": "connection refused"}
    assert (dns(progress), progress.lacking) == (["cn=3"], {})


def test_a_refused_bind_is_not_tried_again() -> None:
    denied = Fake("c", SAME, failures=[DENIED] * 99)
    progress = compared(Fake("a", SAME), Fake("b", SAME), denied)

    assert (denied.asked, [*progress.not_compared]) == (1, ["c/c"])


def test_an_empty_server_lacks_nothing_but_is_named() -> None:
    progress = compared(Fake("a", SAME), Fake("b", SAME), Fake("c", {}))

    assert (progress.different, progress.lacking) == (0, {})
    assert "no entry below the suffix" in progress.not_compared["c/c"]


def test_all_empty_servers_are_the_same() -> None:
    assert compared(Fake("a", {}), Fake("b", {})).not_compared == {}


def test_nobody_is_blamed_before_it_received_what_the_others_have() -> None:
    """It arrives at the third read of contextCSN."""
    late = ({1: position(min(n // 3, 1))} for n in count())
    lagging = Fake("b", SAME | {3: "old"}, vectors=late)
    lagging._on_look = lambda content: content.update({3: "csn"})
    newest = ({1: position(1)} for _ in count())
    progress = compared(Fake("a", SAME, vectors=newest), lagging)

    assert (progress.different, progress.unsettled, progress.not_compared) == (0, 0, {})


def test_who_does_not_receive_in_time_is_left_out() -> None:
    newest = ({1: position(0), 2: position(1, sid=2)} for _ in count())
    servers = (Fake("a", SAME, vectors=newest), Fake("b", SAME | {3: "old"}), Fake("c", SAME))

    assert compared(*servers, limits=ComparisonLimits(wait_seconds=5)).not_compared.keys() == {
        "c/b",
        "c/c",
    }


def test_a_retired_server_id_is_waited_for_by_nobody() -> None:
    newest = ({1: position(0), 2: position(1, sid=2)} for _ in count())
    servers = (Fake("a", SAME, vectors=newest), Fake("b", SAME | {3: "old"}))
    progress = compared(*servers, limits=ComparisonLimits(retired_server_ids=(2,)))

    assert (progress.not_compared, dns(progress)) == ({}, ["cn=3"])


def test_a_stop_leaves_the_last_whole_slice() -> None:
    progress = ComparisonProgress(cursor=Cursor(100))

    def stopped(_: float) -> None:
        raise StoppedError

    comparison = Comparison([Fake("a", SAME), Fake("b", {})], progress, ComparisonLimits(), stopped)
    before = progress.cursor
    with pytest.raises(StoppedError):
        comparison.step()

    assert (progress.cursor, progress.entries, progress.different) == (before, {}, 0)


def test_what_only_a_consumer_wrote_leaves_no_server_out() -> None:
    ahead = {1: position(5), 0: position(9, sid=0)}
    provider = Fake("a", {1: "x", 2: "y"}, vectors=({1: position(5)} for _ in count()))
    consumer = Fake("b", {1: "x"}, vectors=(ahead for _ in count()), role=Role.CONSUMER)

    progress = compared(provider, consumer)

    assert not progress.not_compared
    assert dns(progress) == ["cn=2"]


CN, OTHER = {"cn": "a"}, {"cn": "b"}


def test_other_values_under_one_entry_csn_are_found_and_named() -> None:
    right = dict.fromkeys(SAME, CN | {"title": "x"})
    wrong = right | {3: OTHER | {"title": "x"}, 4: CN}

    progress = compared(
        Fake("a", SAME, values=right), Fake("b", SAME, values=wrong), Fake("c", SAME, values=right)
    )

    assert [(each.dn, each.attributes) for each in progress.differences] == [
        ("cn=3", ("cn",)),
        ("cn=4", ("title",)),
    ]
    assert {each.odd for each in progress.differences} == {frozenset({"c/b"})}
    assert progress.unreadable == {}


def test_what_one_server_does_not_let_the_account_read_is_compared_nowhere() -> None:
    right = dict.fromkeys(SAME, CN | {"title": "x", "secret": "s"})
    wrong = right | {3: OTHER | {"title": "x", "secret": "other"}}
    servers = (
        Fake("a", SAME, values=right, hidden=["secret"]),
        Fake("b", SAME, values=wrong),
        Fake("c", SAME, values=right, hidden=["title", "secret"]),
    )

    progress = compared(*servers, wanted=3)

    assert [(each.dn, each.attributes) for each in progress.differences] == [("cn=3", ("cn",))]
    assert progress.unreadable == {"title": ("c/c",), "secret": ("c/a", "c/c")}
    assert {*progress.entries.values()} == {len(SAME)}  # no slice is counted twice
    assert all(each.excluded == {"title", "secret"} for each in servers)


def test_a_comparison_that_continues_knows_what_cannot_be_read() -> None:
    progress = ComparisonProgress(cursor=Cursor(5), unreadable={"secret": ("c/a",)})
    server = Fake("a", SAME)

    Comparison([server], progress, ComparisonLimits(), Clock().pause)

    assert server.excluded == {"secret"}
