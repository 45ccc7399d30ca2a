"""A thread that runs many calls at once: while one waits, the others go on.

Each call has a stack of its own (greenlet), so what it runs is ordinary code; it gives way where it
waits with the functions of waiting.py, and nowhere else. What blocks the thread in another way, or
computes for long, delays all calls. docs/architecture.md has why, docs/performance.md what it saves
beside threads.
"""

from __future__ import annotations

import atexit
import heapq
import logging
import os
import select
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import cached_property
from itertools import count
from math import inf
from time import monotonic
from typing import ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

from ldaphealth import waiting
from ldaphealth.clocks import MonotonicSeconds, RunningSeconds
from ldaphealth.workers import Call, Workers

log = logging.getLogger(__name__)

# Calls that are begun before sockets are looked at again: what is in progress is timed.
MOST_BEGUN = 8
MOST_THREADS = 256  # for calls of code that may block
# After which a call that has not given way delays the others. So much of each stall counts, so that
# deadlines end also where all calls are slow.
STALL_SECONDS = 0.1
MOST_PLACES = 5
SLACK_SECONDS = 0.001  # by which a wait may be longer, so that one timer serves many
EXIT_SECONDS = 1.0

P = ParamSpec("P")
T = TypeVar("T")


class _Stack:
    """A call in progress. `turn` counts its waits; `until` is when the wait ends at the latest.

    Outside a wait `until` is infinite. `timer` is when the earliest timer for it ends, infinite
    without one. Most waits of a session end before its deadline, which stays: so one timer serves
    all of them.
    """

    __slots__ = ("greenlet", "timer", "turn", "until")

    def __init__(self, run: Call) -> None:
        self.greenlet = greenlet(run)  # its parent is the stack of the thread, where it returns to
        self.turn = 0
        self.until: MonotonicSeconds = inf
        self.timer: MonotonicSeconds = inf


class Calls:
    """The calls of one thread, which refers to them, and not to the `EventLoop`."""

    def __init__(self, name: str, clock: Callable[[], RunningSeconds]) -> None:
        self.name, self.clock = name, clock
        self.in_progress: dict[greenlet, _Stack] = {}
        self.new: deque[Call] = deque()
        self.busy_since: RunningSeconds = inf  # infinite while all of its calls wait
        self.stalled_seconds = 0.0  # in which one call ran and all others had to wait for it
        self._resumed: deque[tuple[_Stack, int]] = deque()
        self._timers: list[tuple[MonotonicSeconds, int, _Stack | Call]] = []
        self._numbers = count()  # for timers at the same moment: stacks cannot be compared
        self._by_descriptor: dict[int, _Stack] = {}
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake).atexit = False  # nobody can write any more
        self._epoll.register(self._wake, select.EPOLLIN)
        self._is_woken = self._is_ended = self._is_left = False
        self._ending = threading.Lock()

    @cached_property
    def threads(self) -> Workers:
        """Return threads for what may block, which few agents need."""
        return Workers(f"{self.name} that may block", MOST_THREADS)

    def begin(self, call: Call) -> None:
        """Begin a call soon. Any thread may ask. RuntimeError: after `end`."""
        with self._ending:
            if self._is_ended:
                raise RuntimeError(f"the event loop {self.name!r} has ended")
            self.new.append(call)
        self._wake_up()

    def end(self) -> None:
        """End the thread when no call is in progress or waits to begin. Any thread may ask."""
        with self._ending:
            self._is_ended = True
        self._wake_up()

    def leave(self) -> None:
        """End the thread as soon as no call runs. Those in progress do not go on."""
        self._is_left = True
        self.end()

    def resumption(self) -> Callable[[], None]:
        """Return what ends the next wait of this call, if it is called by then; any thread may."""
        stack = self.in_progress[getcurrent()]
        turn = stack.turn + 1

        def resume() -> None:
            self._resumed.append((stack, turn))
            self._wake_up()

        return resume

    def later(self, call: Callable[[], T], seconds: float) -> Future[T]:
        """Call it after that time, unless the future is cancelled before: it has no stack yet.

        Only for calls of this thread.
        """
        answer: Future[T] = Future()
        timer = (monotonic() + seconds, next(self._numbers), Call(answer, call, (), {}))
        heapq.heappush(self._timers, timer)
        return answer

    def wait(self, seconds: float) -> bool:
        """Let other calls run for that long, or until it is resumed; return whether it was."""
        return self._wait(self.in_progress[getcurrent()], seconds)

    def wait_for_socket(self, descriptor: int, event: int, seconds: float) -> bool:
        """Let other calls run until a descriptor is ready; False if it took longer."""
        stack = self.in_progress[getcurrent()]
        once = event | select.EPOLLONESHOT
        try:
            self._epoll.modify(descriptor, once)
        except FileNotFoundError:  # epoll(7) forgets a descriptor when it is closed
            self._epoll.register(descriptor, once)
        self._by_descriptor[descriptor] = stack
        try:
            is_ready = self._wait(stack, seconds)
        except Exception:  # such as a MemoryError: the wait has not begun
            self._forget(descriptor)
            raise
        if not is_ready:
            self._forget(descriptor)
        return is_ready

    def _forget(self, descriptor: int) -> None:
        del self._by_descriptor[descriptor]
        self._epoll.unregister(descriptor)

    def run(self) -> None:
        """Run calls until `end`; the body of the thread."""
        waiting.here.calls = self
        while (self.new or self.in_progress or not self._is_ended) and not self._is_left:
            try:
                self._turn()
            except Exception as error:  # a defect in one turn must not end the others
                self._log(error)
        if "threads" in self.__dict__:
            self.threads.shutdown(wait=False)

    def _turn(self) -> None:
        """Wait for sockets, timers and other threads, and run each call that need not wait."""
        ready = self._epoll.poll(self._rest())
        looked_at = monotonic()
        for descriptor, _ in ready:
            if descriptor == self._wake:
                os.eventfd_read(self._wake)
                self._is_woken = False  # and what others note from now on wakes it again
            else:
                self._go_on(self._by_descriptor.pop(descriptor), is_woken=True)
        while self._resumed:
            stack, turn = self._resumed.popleft()
            if stack.turn == turn and stack.until < inf:
                self._go_on(stack, is_woken=True)
        self._end_waits(looked_at)
        for _ in range(min(MOST_BEGUN, len(self.new))):
            self._begin(self.new.popleft())

    def _rest(self) -> float | None:
        """Return the seconds until something must be done, None if only others can know."""
        if self.new or self._resumed or self._is_left or (self._is_ended and not self.in_progress):
            return 0.0
        return max(0.0, self._timers[0][0] - monotonic()) if self._timers else None

    def _end_waits(self, now: MonotonicSeconds) -> None:
        """Go on with the calls whose time was over when sockets were looked at.

        What comes for the others since then is seen first. A timer may be of a wait that has ended.
        """
        while self._timers and self._timers[0][0] <= now:
            at, _, stack = heapq.heappop(self._timers)
            if isinstance(stack, Call):
                if not stack.answer.cancelled():
                    self.new.appendleft(stack)  # it is due, and others are not yet begun
                continue
            if at != stack.timer:
                continue
            stack.timer = inf
            if stack.until <= now:
                self._go_on(stack, is_woken=False)
            elif stack.until < inf:
                self._set_timer(stack)

    def _begin(self, call: Call) -> None:
        """Begin a call. One that cannot begin now, such as without memory, waits for its turn."""
        stack: _Stack | None = None
        try:
            stack = _Stack(call)
            self.in_progress[stack.greenlet] = stack
            self._switch(stack.greenlet)
        except Exception:
            if not call.answer.running() and not call.answer.done():
                if stack is not None:
                    self.in_progress.pop(stack.greenlet, None)
                self.new.append(call)
            raise

    def _go_on(self, stack: _Stack, *, is_woken: bool) -> None:
        """Go on with a call, whose wait is over. What cannot go on now does so in the next turn."""
        stack.until = inf
        try:
            self._switch(stack.greenlet, is_woken)
        except Exception as error:
            if not stack.greenlet.dead:
                stack.until = 0.0
                self._set_timer(stack)
            self._log(error)  # and others go on

    def _log(self, error: Exception) -> None:
        with suppress(Exception):  # without memory there is no line either
            log.error("the event loop failed", extra={"loop": self.name}, exc_info=error)

    def _switch(self, to: greenlet, *args: bool) -> None:
        """Run a call until it waits, or has ended."""
        began = self.busy_since = self.clock()
        try:
            to.switch(*args)
        finally:
            self.busy_since = inf
            took = self.clock() - began
            if took > STALL_SECONDS:
                self.stalled_seconds += took - STALL_SECONDS
            if to.dead:
                del self.in_progress[to]

    def _wait(self, stack: _Stack, seconds: float) -> bool:
        """Give way. Return whether something woke the call before its time."""
        stack.turn += 1
        stack.until = monotonic() + seconds
        if stack.until < stack.timer - SLACK_SECONDS:
            self._set_timer(stack)
        loop = stack.greenlet.parent
        assert loop is not None, "the stack of the thread"
        return bool(loop.switch())

    def _set_timer(self, stack: _Stack) -> None:
        heapq.heappush(self._timers, (stack.until, next(self._numbers), stack))
        stack.timer = stack.until  # not before there is a timer

    def _wake_up(self) -> None:
        """Have the loop look at what was noted, if another thread noted it."""
        if not self._is_woken and waiting.here.calls is not self:
            self._is_woken = True
            os.eventfd_write(self._wake, 1)


class EventLoop(Executor):
    """Runs calls in one daemon thread, which starts at once. Any thread may use it.

    There is no limit to the calls in progress: whoever submits them has one. `clock` is one that
    stands still while this process does (agent/running_clock.py).
    """

    def __init__(self, name: str, clock: Callable[[], RunningSeconds] = monotonic) -> None:
        """RuntimeError: the system refuses the thread."""
        self._calls = Calls(name, clock)
        self._thread = threading.Thread(target=self._calls.run, name=name, daemon=True)
        self._thread.start()
        weakref.finalize(self, self._calls.end).atexit = False
        _loops.add(self)

    def now(self) -> RunningSeconds:
        """Return the time on `clock` without that in which one call kept all others from going on.

        The deadlines of calls are on this clock, so a stall here is not the fault of their servers.
        """
        return self._calls.clock() - self._calls.stalled_seconds

    @property
    def is_alive(self) -> bool:
        """Return whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return how many calls have not begun: if there are always some, it has not enough CPU."""
        return len(self._calls.new)

    @property
    def busy_seconds(self) -> float:
        """Return for how long one call has not given way: while it blocks, it delays all others."""
        return max(0.0, self._calls.clock() - self._calls.busy_since)

    def where(self) -> str:
        """Return the places in the code where the thread is now, from the innermost outwards."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001
        places: list[str] = []
        while frame is not None and len(places) < MOST_PLACES:
            code = frame.f_code
            places.append(f"{code.co_filename}:{frame.f_lineno} ({code.co_name})")
            frame = frame.f_back
        return ", called by ".join(places)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call it soon. RuntimeError: after `shutdown`."""
        answer: Future[T] = Future()
        self._calls.begin(Call(answer, fn, args, kwargs))
        return answer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls, and end the thread when none is in progress.

        As `Executor.shutdown`: with `cancel_futures` the calls that have not begun are cancelled.
        """
        self._calls.end()
        for call in [*self._calls.new] if cancel_futures else ():
            call.answer.cancel()
        if wait:
            self._thread.join()

    def leave(self, seconds: float) -> None:
        """Abandon all calls, and wait so long for the thread to end."""
        self._calls.leave()
        self._thread.join(seconds)


_loops: weakref.WeakSet[EventLoop] = weakref.WeakSet()


@atexit.register
def _leave_all() -> None:
    """End the threads: the interpreter crashes when it ends one while it runs a greenlet."""
    for each in [*_loops]:
        each.leave(EXIT_SECONDS)
