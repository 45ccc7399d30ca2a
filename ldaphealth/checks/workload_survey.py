"""The survey of the check `workload`: it draws operations and does them at all servers at once.

workload.py loads it when the agent runs a survey; reading a configuration does not need it.

The seed of a draw is the cluster, the digest of the file and the number of the interval by the time
of day. So two agents of a cluster draw the same shapes. One run of the survey does the same
operations at all servers, so there are no intervals of different servers to compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks.workload import AGAIN_SECONDS, VALUES_SECONDS, Facts, Params
from ldaphealth.checks.workload_others import Done, beside_others, confirmed, has_other_entries
from ldaphealth.clocks import EpochSeconds, RunningSeconds, epoch_seconds
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import NO_ATTRIBUTES
from ldaphealth.ldap.read_only import Outcome, ReadOnlySession
from ldaphealth.ldap.session import Session
from ldaphealth.model import FailureKind, Server
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.printable import printable
from ldaphealth.workers import Workers
from ldaphealth.workload.draw import DrawnOperation, by_hand, draw, drawable
from ldaphealth.workload.shape import OperationShape, Workload
from ldaphealth.workload.values import Values, read_values, united, wanted_sources

BUDGET_BYTES = 2 << 20  # of one draw at one server
VALUES_BYTES = 8 << 20
MOST_ENTRIES = 64  # of a search whose attributes are requested; of larger ones, none
MOST_THREADS = 16
READ_FROM = 2  # servers: one of them may lack entries
RETRY_SECONDS = 30.0  # after no values could be read
SHOWN_SHAPES = 16  # with an operation to repeat by hand
LONGEST_COMMAND = 4096  # characters
GRACE_SECONDS = 0.5  # after the deadline of a session, for its thread to report


class ByHand:
    """An operation as a command. It becomes a text when it is shown, and is not printed else."""

    __slots__ = ("_operation", "_server")

    def __init__(self, operation: DrawnOperation, server: Server) -> None:
        self._operation, self._server = operation, server

    def __str__(self) -> str:
        server = self._server
        command = by_hand(self._operation, server.uri, server.credentials.dn)
        return printable(command, LONGEST_COMMAND)

    def __repr__(self) -> str:
        return "ByHand(...)"


class Kept(Struct, kw_only=True):
    """What the next run needs: the values, when they are due again, and the newest operations.

    `values_digest` identifies the values: two agents that read the same ones draw alike.
    """

    threads: Workers
    values: Values = {}
    values_digest: str = ""
    due_at: RunningSeconds = 0.0
    reads: int = 0
    newest: Mapping[str, DrawnOperation] = {}  # by shape


class Answered(Struct, frozen=True):
    """What was done at one server, and why nothing could be, else ""."""

    done: tuple[Done, ...] = ()
    not_done: str = ""


Context = SurveyContext[Params, Kept]
Numbered = Sequence[tuple[int, DrawnOperation]]  # by their numbers in the draw


def do_one_draw(
    context: Context, now: Callable[[], EpochSeconds] = epoch_seconds
) -> SurveyResult[Facts, Kept]:
    """Draw operations, and do them at all servers at once. Kept: `Kept`."""
    file = context.params.file
    if file.content is None:
        raise ValueError(f"{file.path} was not read")
    kept = context.kept or Kept(threads=Workers("workload", MOST_THREADS))
    if context.deadline.now() >= kept.due_at:
        _refresh(context, kept, file.content)
    number = int(now() // context.params.interval_seconds)
    seed = f"{context.servers[0].cluster} {file.digest} {number}"
    operations = draw(file.content, kept.values, seed, context.params.operations)
    newest = {**kept.newest, **{each.shape.name: each for each in operations}}
    kept.newest = dict([*newest.items()][-SHOWN_SHAPES:])
    answers = _at_all(context, kept.threads, operations)
    common = Facts(
        file=file.digest,
        draw=f"{number} {kept.values_digest}",
        without_values=_without_values(file.content, kept.values),
        not_done="" if operations else _why_none(file.content),
    )
    found = {
        server.id: _facts(common, server, answers[server.id], kept) for server in context.servers
    }
    return SurveyResult(found, kept)


def _facts(common: Facts, server: Server, answered: Answered, kept: Kept) -> SurveyFacts[Facts]:
    facts = replace(
        common,
        done=answered.done,
        not_done=common.not_done or answered.not_done,
        by_hand={name: ByHand(each, server) for name, each in kept.newest.items()},
    )
    return SurveyFacts(facts)


def _refresh(context: Context, kept: Kept, workload: Workload) -> None:
    """Read values from two servers that answer, beginning with the next one each time.

    Values that were read before stay while none can be read.
    """
    sources = wanted_sources(workload)
    first = kept.reads % len(context.servers)
    read: list[Values] = []
    until = context.deadline.now() + VALUES_SECONDS
    for server in (*context.servers[first:], *context.servers[:first]):
        left = until - context.deadline.now()
        if len(read) == READ_FROM or left <= 0:
            break
        context.pause(0)
        try:
            session = context.open(server, min(left, VALUES_SECONDS / READ_FROM), VALUES_BYTES)
        except SessionError:
            continue
        try:
            read.append(read_values(session, sources, context.params.most_values))
        except SessionError:
            continue
        finally:
            session.close()
    values = united(read, context.params.most_values)
    is_complete = bool(read) and (not sources or any(values.values()))
    if is_complete:
        kept.values, kept.values_digest = values, _digest(values)
        kept.reads += 1
    seconds = context.params.refresh_seconds if is_complete else RETRY_SECONDS
    kept.due_at = context.deadline.now() + seconds


def _at_all(
    context: Context, threads: Workers, operations: Sequence[DrawnOperation]
) -> Mapping[str, Answered]:
    """Do the operations at all servers; those with another number of entries are done again."""
    if not operations:
        return {server.id: Answered() for server in context.servers}
    numbered = [*enumerate(operations)]
    ended = _at_once(context, threads, numbered)
    doubtful = {
        done.number for each in ended.values() for done in each.done if has_other_entries(done)
    }
    if not doubtful:
        return ended
    context.pause(AGAIN_SECONDS)
    again = _at_once(context, threads, [each for each in numbered if each[0] in doubtful])
    return {server: _confirmed(each, again[server]) for server, each in ended.items()}


def _confirmed(first: Answered, again: Answered) -> Answered:
    by_number = {each.number: each for each in again.done}
    return replace(first, done=tuple(confirmed(each, by_number) for each in first.done))


def _at_once(context: Context, threads: Workers, operations: Numbered) -> Mapping[str, Answered]:
    """Do the operations at all servers, as many at a time as there are threads."""
    answers = {
        server.id: threads.submit(_at_one, context, server, operations)
        for server in context.servers
    }
    left = context.deadline.at - context.deadline.now()
    wait(answers.values(), max(0.0, left) + GRACE_SECONDS)
    late = Answered(not_done="no thread was free in time, or the server did not answer")
    ended = {
        server: answer.result() if answer.done() else late for server, answer in answers.items()
    }
    done = beside_others({server: each.done for server, each in ended.items()})
    return {server: Answered(done[server], each.not_done) for server, each in ended.items()}


def _at_one(context: Context, server: Server, operations: Numbered) -> Answered:
    """Do the operations at one server, until the time is over or the session ends."""
    params = context.params
    try:
        session = context.open(server, params.most_seconds, BUDGET_BYTES)
    except SessionError as error:
        return Answered(not_done=error.failure.detail)
    try:
        done = tuple(_done(session, params, operations))
        if session.alive:
            session.unbind()
    except SessionError:
        pass  # of the unbind
    finally:
        session.close()
    return Answered(done)


def _done(session: Session, params: Params, operations: Numbered) -> Iterator[Done]:
    reads, now = session.read_only(), session.deadline.now
    for number, operation in operations:
        if not session.server.holds(operation.base):
            continue
        began = now()
        if began >= session.deadline.at:
            return
        shape = operation.shape.name
        try:
            outcome = _do(reads, operation, params.size_limit)
        except SessionError as error:
            if error.failure.is_local:  # it cannot be encoded, at any server
                continue
            seconds, kind = now() - began, error.failure.kind
            # One that was begun late says nothing of the server.
            if kind is not FailureKind.TIMEOUT or seconds >= params.most_seconds / 2:
                yield Done(number=number, shape=shape, code=-1, name=kind.value, seconds=seconds)
            if not session.alive:
                return
            continue
        yield Done(
            number=number,
            shape=shape,
            code=outcome.code,
            name=outcome.name,
            entries=outcome.entries,
            seconds=outcome.seconds,
        )


def _do(reads: ReadOnlySession, operation: DrawnOperation, size_limit: int) -> Outcome:
    shape = operation.shape
    if shape.operation == "compare":
        return reads.compare(operation.base, shape.attribute, operation.value)
    attributes = (NO_ATTRIBUTES,) if _is_large(shape) else shape.attributes
    return reads.search(
        operation.base, shape.scope, operation.filter, attributes, size_limit, shape.deref
    )


def _is_large(shape: OperationShape) -> bool:
    """Return whether searches of a shape found many entries: they are counted, and not read."""
    return any(bound > MOST_ENTRIES for bound in shape.entries)


def _without_values(workload: Workload, values: Values) -> float:
    """Return the share of the shapes that cannot be drawn."""
    whole = sum(shape.count for shape in workload.shapes)
    return 1 - sum(shape.count for shape in drawable(workload, values)) / whole


def _why_none(workload: Workload) -> str:
    wanted = ", ".join([*wanted_sources(workload)][:3])
    return (
        f"no values could be read for the sources {wanted}: the account needs the "
        "right to read and search them"
    )


def _digest(values: Values) -> str:
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:8]
