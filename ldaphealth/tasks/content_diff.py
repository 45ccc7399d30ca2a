"""One comparison of the contents of a cluster, from the beginning or from a resume file.

`ldaphealth content diff` runs it. It reads the servers directly and needs no agent.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from msgspec import Struct

from ldaphealth.checks.content import Params as ContentParams
from ldaphealth.content.comparison import Comparison, ComparisonLimits, TooFewError
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.reader import Reader, ReaderAccess
from ldaphealth.content.resume_file import (
    ComparedContents,
    check_place,
    load_progress,
    save_progress,
)
from ldaphealth.content.slices import Cursor
from ldaphealth.content.values import NO_VALUES, ValueSelection
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.settings import Cluster
from ldaphealth.survey import StoppedError

SLICE_ENTRIES = 10_000  # with four servers, 20 MiB


class DiffOptions(Struct, frozen=True):
    """The options of the comparison; the help of the command describes them."""

    entries_per_second: float
    wait_seconds: float
    most: int
    resume_file: Path | None = None
    values: ValueSelection = NO_VALUES


class ContentDiff:
    """One comparison. The constructor raises ValueError if the resume file cannot be used."""

    def __init__(self, cluster: Cluster, options: DiffOptions) -> None:
        base = _base(cluster)
        servers = [each for each in cluster.data_servers if each.holds(base)]
        suffix = base or cluster.servers[0].suffix
        values = options.values.without(_values_except(cluster))
        self.compared = ComparedContents(
            {server.id: server.uri for server in servers}, suffix, values
        )
        self._file = options.resume_file
        self._stop = threading.Event()
        self.progress = self._resumed() or ComparisonProgress(
            cursor=Cursor(SLICE_ENTRIES), most=options.most
        )
        access = ReaderAccess(
            opening=partial(open_session, accounts=Accounts()),
            deadline_seconds=cluster.deadline_seconds,
            deadline=Deadline.after,
            pause=self._pause,
            entries_per_second=options.entries_per_second,
        )
        remaining = [each for each in servers if each.id not in self.progress.not_compared]
        self.readers = [Reader(server, access, base, values) for server in remaining]
        limits = ComparisonLimits(options.wait_seconds, _retired(cluster))
        self._comparison = Comparison(self.readers, self.progress, limits, self._pause)

    def run(self) -> None:
        """Compare all entries, or stop when fewer than two servers are left.

        StoppedError after `stop`; OSError if the resume file cannot be written. The file is removed
        only when the comparison is complete.
        """
        try:
            self._comparison.begin()
            while not self.progress.cursor.is_done:
                self._comparison.step()
                if self._file:
                    save_progress(self._file, self.progress, self.compared)
        except TooFewError:
            return
        if self._file:
            self._file.unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop `run` after the current page. Signal handlers and other threads may call it."""
        self._stop.set()

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(max(0.0, seconds)):
            raise StoppedError

    def _resumed(self) -> ComparisonProgress | None:
        if self._file is None:
            return None
        check_place(self._file)
        return load_progress(self._file, self.compared)


def _base(cluster: Cluster) -> str:
    """Return the `base` of the check `content`, "" without one."""
    params = _params(cluster)
    return params.base if params else ""


def _values_except(cluster: Cluster) -> tuple[str, ...]:
    """Return the `values_except` of the check `content`, none without one."""
    params = _params(cluster)
    return params.values_except if params else ()


def _params(cluster: Cluster) -> ContentParams | None:
    params = (each.params for each in cluster.checks)
    return next((each for each in params if isinstance(each, ContentParams)), None)


def _retired(cluster: Cluster) -> tuple[int, ...]:
    """Return the `retired_server_ids` of the check `replication`."""
    known = [each.params for each in cluster.checks if each.check.name == "replication"]
    return tuple(known[0].retired_server_ids) if known else ()
