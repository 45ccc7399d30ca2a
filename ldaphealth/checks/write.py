"""A round trip on the agent's canary: modify with a fresh token, then compare, and search for it.

An entry without the mark of the agent is never written to (canary.py).

The token of the round before proves with which server ID this server writes: if the entry still
holds the token that was written *here*, its entryCSN was made here. Two servers with the same
server ID lose each other's changes, and contextCSN cannot show it (docs/replication.md).

A compare reads the entry, and never the index of the attribute. With `search: true` the token is
also searched for, as clients find entries: a search below the container uses the index.

A server may have another one make the write (slapo-chain(5)). Then the token arrives by
replication, often before it is compared, and its entryCSN has the server ID of the other one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, ObservationsByServer, View
from ldaphealth.checks.canary import (
    ABOUT_OBJECT_CLASS,
    OBJECT_CLASS,
    TOKEN_ATTRIBUTE,
    canary_dn,
    canary_mark,
    check_names,
    this_agent,
)
from ldaphealth.checks.duration import SECONDS_METRIC, judge_seconds
from ldaphealth.checks.own_entry import COPY, NOT_WRITTEN, Owner, fresh_token, is_copy, read_own
from ldaphealth.csn import CSNError, parse
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Thresholds, at_most
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import DN, NO_ATTRIBUTES
from ldaphealth.model import (
    CheckEffect,
    FailureKind,
    Finding,
    Observation,
    Role,
    State,
    Trust,
    is_in_context,
)
from ldaphealth.text.printable import printable

NOT_SEARCHABLE = (
    f"{{}} has the {TOKEN_ATTRIBUTE} that was written, but a search for this value does not find "
    f"it: build the index again (slapindex {TOKEN_ATTRIBUTE}), or give the account the right to "
    "search"
)
PROOF = (TOKEN_ATTRIBUTE, "entryCSN")
# The databases of slapd (slapd-monitor(5)); one that is a copy has the URLs of its `updateref`.
DATABASES, DATABASE = "cn=Databases,cn=Monitor", "(objectClass=monitoredObject)"
UPDATE_REF = ("namingContexts", "monitorUpdateRef")
LONGEST_VALUE = 64
MOST_READS = 8  # the newest observations in which a proof is looked for

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session
Entry = Mapping[str, tuple[str, ...]]


class Params(Struct, frozen=True):
    """Settings of the check. The canaries are below `container`, which must exist."""

    container: Annotated[DN, Meta(description="the entry below which the canaries are")]
    agent: Annotated[str, Meta(description="this agent's name; empty: the host's")] = ""
    object_class: Annotated[str | tuple[str, ...], Meta(description=ABOUT_OBJECT_CLASS)] = (
        OBJECT_CLASS
    )
    seconds: Annotated[
        Thresholds, Meta(description="the time of the whole round trip", extra=SECONDS_OF_A_ROUND)
    ] = at_most(0.5, 2.0)
    search: Annotated[
        bool,
        Meta(
            description="also search for the new value below `container`: finds a damaged index of "
            f"`{TOKEN_ATTRIBUTE}`, where the server has one; one more search in each round"
        ),
    ] = False

    def __post_init__(self) -> None:
        check_names(self.container, self.agent, self.object_class)


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The owner of the canary, what was written to it, and what it held before.

    `matched`: the compare found the `token` that was written. `found_token` and `found_csn` are the
    values before the write, usually those of the round before. `forwarded`: another server made the
    write; None if that is not known. `searchable`: a search for the token found the canary; None if
    there was no search.
    """

    canary: Owner | Literal["not_applicable", "copy"]
    dn: str = ""
    matched: bool = False
    token: str = ""
    found_token: str = ""
    found_csn: str = ""
    forwarded: bool | None = None
    searchable: bool | None = None


def observe(session: Session, params: Params) -> Facts:
    """Write and compare, if the entry has the agent's mark. A consumer is never written to."""
    if session.server.role is Role.CONSUMER:
        return Facts(canary="not_applicable")
    agent = params.agent or this_agent()
    dn = canary_dn(params.container, agent, session.server)
    owner, entry = read_own(session, dn, canary_mark(agent, session.server), PROOF)
    if owner != "ours":
        return Facts(canary=owner, dn=dn)
    token = fresh_token()
    try:
        written = session.replace_and_read(dn, TOKEN_ATTRIBUTE, token, ("entryCSN",))
    except SessionError as error:
        if not is_copy(error.failure):
            raise
        return Facts(canary="copy", dn=dn)
    matched = session.compare(dn, TOKEN_ATTRIBUTE, token)
    here = {} if matched else session.read(dn, PROOF)
    matched = matched or _is_newer(here, written)  # a parallel probe may have replaced the token
    return Facts(
        canary="ours",
        dn=dn,
        matched=matched,
        token=token,
        found_token=_value(entry, TOKEN_ATTRIBUTE),
        found_csn=_value(entry, "entryCSN"),
        forwarded=_has_update_ref(session, dn) if matched else _comes_later(here, token, written),
        searchable=_is_searchable(session, params.container, dn, token)
        if params.search and matched
        else None,
    )


def _is_searchable(session: Session, container: str, dn: str, token: str) -> bool:
    """Return whether a search finds the token, unless a parallel probe has replaced it."""
    wanted = f"({TOKEN_ATTRIBUTE}={token})"
    if session.search(container, "one", wanted, (NO_ATTRIBUTES,)):
        return True
    return _value(session.read(dn, PROOF), TOKEN_ATTRIBUTE) != token


def _has_update_ref(session: Session, dn: str) -> bool | None:
    """Return whether slapd shows an `updateref` of the database of an entry; None if unknown."""
    try:
        found = session.search(DATABASES, "one", DATABASE, UPDATE_REF)
    except SessionError as error:
        if error.failure.kind is not FailureKind.RESULT or not session.alive:
            raise
        return None
    own = [
        entry
        for _, entry in found
        if any(base and is_in_context(dn, base) for base in entry.get("namingcontexts", ()))
    ]
    return any("monitorupdateref" in entry for entry in own) if own else None


def _is_newer(here: Entry, written: Entry) -> bool:
    """Return whether the entry was changed again after the write, which returned its entryCSN."""
    try:
        return parse(_value(here, "entryCSN")) > parse(_value(written, "entryCSN"))
    except CSNError:
        return False


def _comes_later(here: Entry, token: str, written: Entry) -> bool | None:
    """Return whether a token that was not there comes by replication; None if that is not known.

    It does if it is there now, or if the entry here is older than the write, which returned its
    entryCSN (RFC 4527): a server that made the write itself has no older entry.
    """
    if _value(here, TOKEN_ATTRIBUTE) == token:
        return True
    try:
        return parse(_value(here, "entryCSN")) < parse(_value(written, "entryCSN"))
    except CSNError:
        return None


def _value(entry: Mapping[str, tuple[str, ...]], attribute: str) -> str:
    """Return the value of an attribute, "" without one; longer values than needed are cut."""
    return printable("".join(entry.get(attribute.lower(), ())[:1]), LONGEST_VALUE)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge whether the token was found, and the time. A missing canary is a local failure."""
    facts = view.facts
    match facts.canary:
        case "not_applicable":
            yield view.finding(State.OK, "not_applicable", "a consumer takes no writes")
        case "missing" | "foreign":
            code, summary = NOT_WRITTEN[facts.canary]
            yield view.finding(State.UNKNOWN, code, summary.format(facts.dn), trust=Trust.LOCAL)
        case "copy":
            summary = f"the write to {facts.dn} was refused: {COPY}"
            yield view.finding(State.WARNING, "referral", summary, trust=Trust.INFORMATIVE)
        case _:
            if not facts.matched and not _is_forwarding(view.own):
                summary = f"the token that was written to {facts.dn} is not there"
                yield view.finding(State.CRITICAL, "lost", summary)
            if facts.searchable is False:
                yield view.finding(
                    State.CRITICAL,
                    "not_searchable",
                    NOT_SEARCHABLE.format(facts.dn),
                    trust=Trust.EXPECTATION,
                )
            yield from judge_seconds(view, params.seconds)
            yield from _duplicates(view)


def _is_forwarding(seen: Sequence[Observation[Facts]]) -> bool:
    """Return whether another server makes the writes of this one (slapo-chain(5)).

    It is proven if a write was seen to be forwarded, or if a token that was not there at once was
    there in a later round.
    """
    latest = _latest_facts(seen)
    late = {each.token for each in latest if each.token and not each.matched}
    return any(each.forwarded or each.found_token in late for each in latest)


def _latest_facts(seen: Sequence[Observation[Facts]]) -> list[Facts]:
    return [facts for each in seen[-MOST_READS:] if (facts := each.facts) is not None]


def _duplicates(view: View[Facts]) -> Iterator[Finding]:
    """Yield a finding if other servers were seen to write with the server ID of this server.

    It is a WARNING while slapd does not show whether each of them makes its writes itself.
    """
    own_id = _written_server_id(view.own)
    if own_id is None or _is_forwarding(view.own):
        return
    others = {
        server.partition("/")[2]: seen
        for server, seen in sorted(view.observations.items())
        if server != view.server.id
        and _written_server_id(seen) == own_id
        and not _is_forwarding(seen)
    }
    if not others:
        return
    summary = (
        f"writes with the same server ID {own_id:03x} as {', '.join(others)}: changes may be lost; "
        "give each server its own serverID, unless these are names of one server"
    )
    state = State.CRITICAL
    if not all(_makes_its_writes(seen) for seen in (view.own, *others.values())):
        state = State.WARNING
        summary += (
            ", or one has another make its writes (slapo-chain: set `role: consumer`); with the "
            f"right to read {DATABASES} this is known"
        )
    yield view.finding(state, "duplicate_server_id", summary, trust=Trust.INFORMATIVE)


def writers(observations: ObservationsByServer[Facts]) -> Mapping[int, str]:
    """Return the servers that are proven to make their writes themselves, by their server IDs.

    Those that share a server ID are left out.
    """
    found = [
        (sid, server.partition("/")[2])
        for server, seen in observations.items()
        if not _is_forwarding(seen) and (sid := _written_server_id(seen)) is not None
    ]
    times = Counter(sid for sid, _ in found)
    return {sid: name for sid, name in found if times[sid] == 1}


def _makes_its_writes(seen: Sequence[Observation[Facts]]) -> bool:
    """Return whether slapd has shown that it makes the writes itself."""
    return any(each.forwarded is False for each in _latest_facts(seen))


def _written_server_id(seen: Sequence[Observation[Facts]]) -> int | None:
    """Return the server ID of the latest write that is proven to have been made at that server.

    It is proven if one round wrote a token there and a later round found it with its entryCSN.
    """
    latest = _latest_facts(seen)
    written = {each.token for each in latest if each.token}
    for each in reversed(latest):
        if each.found_token in written:
            try:
                return parse(each.found_csn).sid
            except CSNError:  # no right to read it
                return None
    return None


CHECK = Check(
    name="write",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    newest=MOST_READS,
    judges_older_times=False,
    judged_metrics={"seconds": (SECONDS_METRIC,)},
    of_one_server=True,
    effect=CheckEffect.OUT,
    server_settings=("seconds",),
    writers=writers,
    single_because="the agent has one canary for each server",
)
