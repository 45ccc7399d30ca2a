"""Answers run in threads, a few are accepted at a time, and none blocks the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ldaphealth.web.in_thread import MOST_CALLS, AnswerThreads, BusyError


def test_at_most_so_many_at_a_time_and_who_comes_then_is_told_at_once() -> None:
    gate = threading.Event()

    async def ask() -> list[object]:
        threads = AnswerThreads()
        waiting = [
            asyncio.create_task(threads.run(lambda: gate.wait(10))) for _ in range(MOST_CALLS)
        ]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError):
            await threads.run(lambda: True)
        gate.set()
        answers: list[object] = list(await asyncio.gather(*waiting))
        return [*answers, await threads.run(lambda: "free again")]

    assert asyncio.run(ask()) == [True] * MOST_CALLS + ["free again"]


def test_an_error_is_raised_where_it_was_asked_for_and_frees_the_thread() -> None:
    async def ask() -> str:
        threads = AnswerThreads(1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await threads.run(lambda: 1 // 0)
        return await threads.run(lambda: "fine")

    assert asyncio.run(ask()) == "fine"


def test_who_has_gone_still_frees_the_thread() -> None:
    gate = threading.Event()

    async def ask() -> str:
        threads = AnswerThreads(1)
        asked = asyncio.create_task(threads.run(lambda: gate.wait(10)))
        await asyncio.sleep(0.05)
        asked.cancel()
        with pytest.raises(BusyError):
            await threads.run(lambda: "too early")
        gate.set()
        await asyncio.sleep(0.1)
        return await threads.run(lambda: "fine")

    assert asyncio.run(ask()) == "fine"
