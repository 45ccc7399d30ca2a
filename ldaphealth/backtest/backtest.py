"""Read the journal of one cluster for trials, and leave out what is calm for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat

from msgspec import Struct, field

from ldaphealth.agent.journal_cluster import Finder
from ldaphealth.agent.journal_segment import Recorded, SegmentReader, summary_of
from ldaphealth.agent.journal_summary import PartSummary, SegmentSummary
from ldaphealth.agent.pool_events import Began, Decided
from ldaphealth.backtest.course import Course
from ldaphealth.backtest.trial import Observed, Trial, observed_by
from ldaphealth.clocks import EpochSeconds
from ldaphealth.store.journal_files import DamagedError, Segment

PAUSE_SECONDS = 60.0  # between two segments: the agent did not run, or lost what it saw


class Published(Struct, kw_only=True):
    """What was decided at the time, from `first` to `last`, and how much was read of it.

    `calm` of the `segments` were left out. `problems` names what could not be read, by its path.
    """

    course: Course = field(default_factory=Course)
    first: EpochSeconds | None = None
    last: EpochSeconds | None = None
    segments: int = 0
    calm: int = 0
    problems: dict[str, str] = field(default_factory=dict)


class Backtest:
    """The reading of one cluster's segments, in order, until `is_over` returns true."""

    def __init__(
        self,
        trials: Sequence[Trial],
        finder: Finder,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.published = Published()
        self.is_cut = False  # the time was up before the end
        self._trials, self._finder, self._is_over = trials, finder, is_over
        self._observed: dict[int, Observed] = {}  # by digest
        self._until: EpochSeconds | None = None  # of the segment before

    def read(self, found: Iterable[Segment], done: Callable[[], None] = lambda: None) -> None:
        """Read segments; `done` is called after each one."""
        for segment in found:
            if self.is_cut or self._is_over():
                self.is_cut = True
                return
            if self._until is not None and segment.began - self._until > PAUSE_SECONDS:
                self._pause()
            self.published.segments += 1
            try:
                self._read(segment)
            except (DamagedError, OSError) as error:
                why = (error.strerror if isinstance(error, OSError) else "") or str(error)
                self.published.problems[str(segment.path)] = why
                self._pause()
            done()

    def _pause(self) -> None:
        for trial in self._trials:
            trial.pause()

    def _read(self, segment: Segment) -> None:
        calm: list[list[bool]] = [[] for _ in self._trials]  # by trial: which parts
        parts: tuple[PartSummary, ...] = ()
        if (known := self._known(segment)) is not None:
            summary, observed = known
            parts = summary.parts
            calm = [[of.is_calm(each, observed) for each in parts] for of in self._trials]
            if all(map(all, calm)) and all(of.is_resting() for of in self._trials):
                self._skip(summary, observed)
                return
        self._until = segment.began
        places = chain.from_iterable(
            repeat(place, part.decisions) for place, part in enumerate(parts)
        )
        self._judge(segment, places, calm)

    def _judge(
        self, segment: Segment, places: Iterator[int], calm: Sequence[Sequence[bool]]
    ) -> None:
        """Apply the events of a segment; `places` are those of the part of each decision."""
        place = next(places, None)
        for each in SegmentReader(segment.path, self._finder).recorded():
            at = segment.began if each.at is None else each.at
            self._publish(each, at)
            for trial, parts in zip(self._trials, calm, strict=True):
                is_calm = place is not None and parts[place]
                trial.apply(each.event, at, is_calm=is_calm)
            if isinstance(each.event, Decided):
                place = next(places, None)
            if self._is_over():
                self.is_cut = True
                return

    def _skip(self, summary: SegmentSummary, observed: Observed) -> None:
        self.published.calm += 1
        servers = (each.id for each in observed.cluster.servers)
        self.published.course.note_calm(servers, summary.parts[0].critical, summary.since)
        for trial in self._trials:
            trial.skip(summary, observed)
        self._note_time(summary.since)
        self._note_time(summary.until)

    def _publish(self, recorded: Recorded, at: EpochSeconds) -> None:
        """Note what was decided at the time."""
        self._note_time(at)
        event = recorded.event
        verdicts = event.state.verdicts if isinstance(event, Began) else recorded.verdicts
        for verdict in verdicts.values():
            self.published.course.note(verdict, at)

    def _note_time(self, at: EpochSeconds) -> None:
        published = self.published
        published.first = at if published.first is None else published.first
        published.last = self._until = at

    def _known(self, segment: Segment) -> tuple[SegmentSummary, Observed] | None:
        """Return the summary of a segment and its settings. None: it must be judged.

        It has no summary, or one of another version, which did not note all metrics that count now.
        """
        summary = summary_of(segment.path)
        if summary is None:
            return None
        observed = self._settings_of(segment, summary)
        return (summary, observed) if summary.judged == observed.judged else None

    def _settings_of(self, segment: Segment, summary: SegmentSummary) -> Observed:
        """Return the settings of a segment; DamagedError and OSError."""
        known = self._observed.get(summary.settings)
        if known is None:
            began = SegmentReader(segment.path, self._finder).began()
            if began is None:
                raise DamagedError("it does not begin with a state")
            known = self._observed[summary.settings] = observed_by(began.state.cluster)
        return known
