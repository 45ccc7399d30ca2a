"""The whole of `ldaphealth discover`: find servers, draft, try, measure, and return the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from time import monotonic

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.discover.configuration_text import configuration_text
from ldaphealth.discover.draft import DEFAULT_CLUSTER, Draft, domain_of, main_contexts, make_draft
from ldaphealth.discover.hidden import Hidden, find_hidden
from ldaphealth.discover.measured_times import MeasuredTimes, measure
from ldaphealth.discover.roles import FoundRole, find_roles
from ldaphealth.discover.secure_session import ServerAccess
from ldaphealth.discover.server_facts import ServerFacts, read_server
from ldaphealth.discover.servers import Found, Named, find_servers
from ldaphealth.discover.srv import DnsAnswer, domains_of, srv_records
from ldaphealth.discover.thresholds import add_thresholds, rule_lines
from ldaphealth.discover.trial import load_draft, note_findings, try_checks
from ldaphealth.ldap.accounts import Accounts

FIND_SECONDS = 60.0
DNS_SECONDS = 5.0
HEAD = (
    "A configuration of ldaphealth, found by `ldaphealth discover` from {started}.",
    "Read it before you use it: a line below says what each server shows, and where that is from.",
)
NOT_MEASURED = "Thresholds: nothing was measured (--measure 0), so they are the defaults."
NOT_WRITTEN = Hidden(
    what="the checks write, propagation and content",
    why="they need entries of their own, or more reads, and are for you to decide on",
    grants=(
        "docs/configuration.md has their settings, and `ldaphealth canary plan` prints the entries",
    ),
)


class Wanted(Struct, frozen=True, kw_only=True):
    """What to discover. `domain` is "" for that of the naming context; times are seconds."""

    uris: tuple[str, ...]
    access: ServerAccess
    base: str = ""
    domain: str = ""
    uses_dns: bool = True
    deadline_seconds: float = 5.0
    measure_seconds: float = 60.0


class Discovery(Struct, frozen=True, kw_only=True):
    """What was found, and the text of the configuration."""

    found: Found
    contexts: tuple[str, ...]
    roles: tuple[FoundRole, ...]
    dns: tuple[DnsAnswer, ...]
    hidden: tuple[Hidden, ...]
    draft: Draft
    measured: MeasuredTimes | None
    text: str


class NothingFoundError(Exception):
    """No server could be read; the text is why, for one line."""


class Stage(Struct):
    """What is done now, for a progress bar. `ends_at` is 0 where the end is not known."""

    name: str = "finding servers"
    began_at: MonotonicSeconds = 0.0
    ends_at: MonotonicSeconds = 0.0


def discover(wanted: Wanted, stage: Stage, stop: Event) -> Discovery:
    """Return what can be found; NothingFoundError, or ConfigError for what cannot be a file."""
    accounts = Accounts()
    dns = _Dns(wanted)
    found = find_servers(
        [Named(uri, "given on the command line") for uri in wanted.uris],
        lambda uri: read_server(uri, wanted.access, wanted.deadline_seconds, accounts, wanted.base),
        dns.named,
        FIND_SECONDS,
    )
    if not found.servers:
        first = found.unread[0]
        raise NothingFoundError(f"no server could be read: {first.uri}: {first.why}")
    facts = [each.facts for each in found.servers]
    contexts = main_contexts(facts)
    roles = find_roles(found.servers, contexts[0] if contexts else "")
    draft = make_draft(
        _cluster_name(wanted, contexts), found.servers, roles, contexts, wanted.access
    )
    hidden = [*find_hidden(found, contexts, wanted.access.credentials), *dns.hidden(), NOT_WRITTEN]
    stage.name = "trying the checks"
    note_findings(draft, try_checks(load_draft(draft)))
    measured = _measured(wanted, draft, accounts, stage, stop)
    draft.sort_checks()
    load_draft(draft)
    return Discovery(
        found=found,
        contexts=contexts,
        roles=(*roles,),
        dns=(*dns.answers,),
        hidden=(*hidden,),
        draft=draft,
        measured=measured,
        text=configuration_text(draft, _head(wanted, measured), hidden),
    )


def _measured(
    wanted: Wanted, draft: Draft, accounts: Accounts, stage: Stage, stop: Event
) -> MeasuredTimes | None:
    """Measure, and add the thresholds to the draft; None if that is not wanted."""
    if not wanted.measure_seconds:
        return None
    stage.began_at, stage.name = monotonic(), "measuring normal times"
    stage.ends_at = stage.began_at + wanted.measure_seconds
    measured = measure(load_draft(draft), wanted.measure_seconds, accounts, stop)
    add_thresholds(draft, measured)
    return measured


def _head(wanted: Wanted, measured: MeasuredTimes | None) -> list[str]:
    """Return the comments at the head of the file."""
    head = [each.format(started=", ".join(wanted.uris)) for each in HEAD]
    if measured is None:
        return [*head, NOT_MEASURED]
    return [*head, *rule_lines(wanted.measure_seconds, measured)]


def _cluster_name(wanted: Wanted, contexts: Sequence[str]) -> str:
    """Return the name that was given, else the first label of the domain of the data."""
    domain = domain_of(contexts[0]) if contexts else ""
    return wanted.access.cluster or domain.partition(".")[0].strip("-") or DEFAULT_CLUSTER


class _Dns:
    """The DNS records of the domain, looked up once; the reads of several servers use it."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.answers: list[DnsAnswer] = []

    def named(self, facts: ServerFacts) -> Iterator[Named]:
        """Yield the servers that DNS names for the domains of a server's naming contexts."""
        if not self._wanted.uses_dns:
            return
        known = {each.domain for each in self.answers}
        bases = [each.dn for each in facts.contexts]
        for domain in [self._wanted.domain] if self._wanted.domain else domains_of(bases):
            if domain in known:
                continue
            known.add(domain)
            answer = srv_records(domain, DNS_SECONDS)
            self.answers.append(answer)
            yield from (Named(uri, f"DNS: {answer.name}") for uri in answer.uris)

    def hidden(self) -> Iterator[Hidden]:
        """Yield what DNS did not show."""
        if not self._wanted.uses_dns:
            yield Hidden(what="DNS", why="not used (--no-dns)")
        for each in self.answers:
            if each.why:
                yield Hidden(what=f"DNS {each.name}", why=each.why)
            for other in each.outside:
                yield Hidden(
                    what=other,
                    why=f"{each.name} names it, and it is outside of {each.domain}: not contacted",
                    grants=("give its URL to `ldaphealth discover` if it is yours",),
                )
