"""Whether servers hold the same number of entries, by cn=Monitor (olmMDBEntries of slapd-mdb(5)).

Servers that have received the same changes must hold as many entries. If they do not, some entries
are missing on one of them, and contextCSN does not show it. quiet_period.py finds when the numbers
can be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct, field

from ldaphealth.check import Check, CheckedCluster, View
from ldaphealth.checks.monitor_access import (
    GAUGES_FLIGHT,
    MonitorAccess,
    no_monitor_finding,
    number,
    search_gauges,
)
from ldaphealth.checks.quiet_period import QuietPeriod, last_quiet_period
from ldaphealth.checks.vector_reads import bounded
from ldaphealth.content.context_csn import context_csn_request, read_context_csn_once
from ldaphealth.csn import (
    ATTRIBUTE,
    CSNError,
    Vector,
    counted,
    lacks,
    newest_positions,
    parse_vector,
)
from ldaphealth.csn.server_id import RetiredServerIds
from ldaphealth.judging.judge import AGED_SECONDS, HARD_RESULT_CODES
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import (
    FailureKind,
    Finding,
    Metric,
    Role,
    Server,
    State,
    Trust,
    comparable_dn,
    consumers,
)
from ldaphealth.text.duration import duration
from ldaphealth.text.quantity import quantity
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session

CHANGES = ("cn=add,cn=operations,cn=monitor", "cn=delete,cn=operations,cn=monitor")
# In a process without memory, which reads twice, a second apart.
SECOND_LOOK_SECONDS = 0.2
MOST_NAMES = 8  # of servers in a sentence
FEWEST = 2


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check."""

    bases: Annotated[
        tuple[str, ...],
        Meta(description="the suffixes of the databases to compare; empty: that of the cluster"),
    ] = ()
    quiet_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="numbers are compared when no entry was added or deleted on any server for "
            "this time: longer than replication takes",
        ),
    ] = 10.0
    partial_servers: Annotated[
        tuple[str, ...],
        Meta(
            description="the names of servers that hold only a part of the entries, such as a "
            "consumer with a filter: they are not compared"
        ),
    ] = ()
    retired_server_ids: RetiredServerIds = ()

    def contexts(self, server: Server) -> tuple[str, ...]:
        """Return the suffixes to compare on a server: those that it holds."""
        if server.name in self.partial_servers:
            return ()
        return tuple(base for base in self.bases or (server.suffix,) if server.holds(base))


class Facts(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The number of entries and contextCSN by suffix, for the databases that show a number.

    contextCSN was read first, so the changes in it are in the number. `changes` are the adds and
    deletes of clients that slapd completed since it started.
    """

    entries: Mapping[str, int] = {}
    context_csn: Mapping[str, tuple[str, ...]] = field(name=ATTRIBUTE, default={})
    changes: int | None = None
    access: MonitorAccess = "read"


def requests(server: Server, params: Params) -> Iterator[Flight]:
    """Yield contextCSN, and then the numbers, whose read must not begin before."""
    yield (*map(context_csn_request, params.contexts(server)),)
    yield GAUGES_FLIGHT


def observe(session: Session, params: Params) -> Facts:
    """Read contextCSN, and then the numbers."""
    bases = params.contexts(session.server)
    context_csn = {base: _context_csn(session, base) for base in bases}
    access, found = search_gauges(session)
    by_dn = {dn.lower(): entry for dn, entry in found}
    changes = [number(by_dn.get(dn, {}), "monitoropcompleted") for dn in CHANGES]
    shown = {
        comparable_dn(suffix): entries
        for _, entry in found
        if (entries := number(entry, "olmmdbentries")) is not None
        for suffix in entry.get("namingcontexts", ())
    }
    return Facts(
        entries={base: shown[dn] for base in bases if (dn := comparable_dn(base)) in shown},
        context_csn={base: values for base, values in context_csn.items() if values},
        changes=None if None in changes else sum(each for each in changes if each is not None),
        access=access,
    )


def _context_csn(session: Session, base: str) -> tuple[str, ...]:
    """Return contextCSN, none if it cannot be read: the check replication reports that."""
    try:
        return bounded(read_context_csn_once(session, base))
    except SessionError as error:
        failure = error.failure
        if failure.kind is not FailureKind.RESULT or failure.result_code in HARD_RESULT_CODES:
            raise
        return ()


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Compare the numbers of entries of each database."""
    access, bases = view.facts.access, params.contexts(view.server)
    if access != "read":
        yield no_monitor_finding(view, access)
    elif not bases:
        summary = "not compared: the server holds a part of the entries, or another database"
        yield view.finding(State.OK, "not_applicable", summary)
    else:
        for base in bases:
            yield _judged(view, params, base)


def _judged(view: View[Facts], params: Params, base: str) -> Finding:
    where = f" in {base}" if params.bases else ""
    number = view.facts.entries.get(base)
    if number is None:
        summary = f"the server shows no number of entries{where}: only MDB databases have one"
        return view.finding(State.OK, "not_applicable", summary)
    metrics = (Metric("entries", number, label=base if params.bases else ""),)
    own, newest = _entries(number), _newest(view, base)
    if len(newest) < FEWEST:
        summary = f"{own}{where}, and no other server to compare with"
        return view.finding(State.OK, "not_applicable", summary, metrics)
    period = _quiet_period(view, params, base)
    compared = {} if period is None else _compared(view, params, base, period)
    if period and view.server.id in compared and len(compared) >= FEWEST:
        return _compare(view, compared, where, _age(view, period), metrics)
    if len({*newest.values()}) == 1:
        summary = f"{own}{where}, like the other servers"
        return view.finding(State.OK, "ok", summary, metrics)
    summary = (
        f"{own}{where}: not compared yet, because entries were added or deleted, or "
        "changes are on their way"
    )
    return view.finding(State.OK, "collecting", summary, metrics)


def _readable(view: View[Facts]) -> dict[str, Facts]:
    """Return the newest facts of the servers that can be read now."""
    newest = {server: seen[-1].facts for server, seen in view.observations.items() if seen}
    return {server: facts for server, facts in newest.items() if facts is not None}


def _newest(view: View[Facts], base: str) -> dict[str, int]:
    """Return the newest number of each server that shows one."""
    return {
        server: facts.entries[base]
        for server, facts in _readable(view).items()
        if base in facts.entries
    }


def _quiet_period(view: View[Facts], params: Params, base: str) -> QuietPeriod[Facts] | None:
    """Return the newest period in which no entry was added or deleted.

    A provider that does not show how many it completed may add and delete one between two reads.
    Then nothing at all may have been written in the period, by contextCSN.
    """
    newest = _readable(view)
    providers = [each.id for each in view.servers if each.role is Role.PROVIDER]
    is_known = bool(providers) and all(
        each in newest and newest[each].changes is not None for each in providers
    )

    def state(facts: Facts) -> object:
        written = () if is_known else facts.context_csn.get(base, ())
        return facts.entries.get(base), facts.changes, written

    seconds = SECOND_LOOK_SECONDS if view.one_shot else params.quiet_seconds
    seen = {server: view.observations[server] for server in newest}
    return last_quiet_period(seen, state, seconds)


def _compared(
    view: View[Facts], params: Params, base: str, period: QuietPeriod[Facts]
) -> dict[str, int]:
    """Return the numbers of the servers that have received all changes from before the period."""
    before = {server: _vector(facts, base) for server, facts in period.first.items()}
    shown = {server: vector for server, vector in before.items() if vector}
    goal = newest_positions(counted(shown, consumers(view.servers)).values())
    found: dict[str, int] = {}
    for server, facts in period.last.items():
        vector, entries = _vector(facts, base), facts.entries.get(base)
        if vector and entries is not None and not lacks(vector, goal, params.retired_server_ids):
            found[server] = entries
    return found


def _vector(facts: Facts, base: str) -> Vector:
    """Return the positions, none if the values are no CSNs: the check replication reports that."""
    try:
        return parse_vector(facts.context_csn.get(base, ()))
    except CSNError:
        return {}


def _age(view: View[Facts], period: QuietPeriod[Facts]) -> str:
    """Return when the numbers could be compared for the last time, if that is long ago."""
    seconds = view.latest.started_at - period.until
    return f" (seen {duration(seconds)} ago)" if seconds >= AGED_SECONDS else ""


def _compare(
    view: View[Facts],
    entries: Mapping[str, int],
    where: str,
    age: str,
    metrics: tuple[Metric, ...],
) -> Finding:
    number = entries[view.server.id]
    own = _entries(number)
    ((usual, count),) = Counter(entries.values()).most_common(1)
    if count == len(entries):
        summary = f"{own}{where}, like {quantity(len(entries) - 1, 'other server')}{age}"
        return view.finding(State.OK, "ok", summary, metrics)
    hint = (
        f"although all have received the same changes{age}: `ldaphealth content diff "
        f"{view.server.cluster}` finds them"
    )
    if 2 * count <= len(entries):
        others = ", ".join(_others(view.server.id, entries))
        summary = f"{own}{where}, but {others}, {hint}"
        return view.finding(State.CRITICAL, "differs", summary, metrics, Trust.INFORMATIVE)
    if number == usual:
        summary = f"{own}{where}, like most servers{age}"
        return view.finding(State.OK, "ok", summary, metrics)
    summary = f"{own}{where}, but {usual} on most servers, {hint}"
    return view.finding(State.CRITICAL, "differs", summary, metrics)


def _entries(number: int) -> str:
    return quantity(number, "entry", "entries")


def _others(own: str, entries: Mapping[str, int]) -> Iterator[str]:
    """Yield the numbers of the other servers, of a few of them."""
    differing = [server for server, count in entries.items() if count != entries[own]]
    for server in sorted(differing)[:MOST_NAMES]:
        yield f"{entries[server]} on {server.rpartition('/')[2]}"


def second_look(view: View[Facts], params: Params) -> bool:
    """Return whether the numbers differ, which a single read of each server does not prove."""
    return any(len({*_newest(view, base).values()}) > 1 for base in params.contexts(view.server))


def validate(cluster: CheckedCluster, params: Params) -> Iterator[tuple[str, str]]:
    """Yield the settings that cannot work in this cluster, with a message."""
    known = [each.name for each in cluster.servers]
    for name in params.partial_servers:
        if name not in known:
            yield "partial_servers", f"the cluster has no server {name!r}{suggestion(name, known)}"


CHECK = Check(
    name="entry_count",
    params=Params,
    facts=Facts,
    requests=requests,
    observe=observe,
    judge=judge,
    of_one_server=True,
    second_look=second_look,
    judges_older_times=False,
    validate=validate,
    judged_settings=("quiet_seconds", "retired_server_ids"),
    bound_because="it compares what all servers show in the same round",
)
