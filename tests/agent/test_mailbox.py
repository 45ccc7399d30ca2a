"""A message either ends the wait for messages, or is taken after it; none is lost."""

from __future__ import annotations

import signal
import threading
from time import monotonic, sleep

import pytest

from ldaphealth.agent.mailbox import Mailbox

BATCH_SECONDS, LONG_SECONDS = 0.2, 20.0


@pytest.fixture
def mailbox() -> Mailbox[str]:
    return Mailbox()


def test_a_message_ends_the_wait(mailbox: Mailbox[str]) -> None:
    threading.Timer(0.05, mailbox.put, ["one"]).start()
    began = monotonic()

    assert mailbox.take(LONG_SECONDS, BATCH_SECONDS) == ["one"]
    assert monotonic() - began < LONG_SECONDS


def test_a_patient_message_waits_for_others(mailbox: Mailbox[str]) -> None:
    mailbox.put_patient("one")
    threading.Timer(BATCH_SECONDS / 4, mailbox.put_patient, ["other"]).start()
    began = monotonic()

    assert mailbox.take(LONG_SECONDS, BATCH_SECONDS) == ["one", "other"]
    assert BATCH_SECONDS <= monotonic() - began < LONG_SECONDS
    assert mailbox.take(0.0, BATCH_SECONDS) == []


def test_they_do_not_wait_longer_because_there_are_several_calls(mailbox: Mailbox[str]) -> None:
    mailbox.put_patient("one")
    began = monotonic()
    taken: list[str] = []
    while not taken:
        taken = mailbox.take(BATCH_SECONDS / 10, BATCH_SECONDS)

    assert taken == ["one"]
    assert BATCH_SECONDS <= monotonic() - began < LONG_SECONDS


def test_one_that_cannot_wait_ends_the_wait_of_a_patient_one(mailbox: Mailbox[str]) -> None:
    mailbox.put_patient("patient")
    threading.Timer(0.05, mailbox.put, ["loud"]).start()
    began = monotonic()

    assert mailbox.take(LONG_SECONDS, LONG_SECONDS) == ["patient", "loud"]
    assert monotonic() - began < LONG_SECONDS


def test_patient_ones_can_be_taken_before(mailbox: Mailbox[str]) -> None:
    mailbox.put_patient("one")
    assert mailbox.take_patient() == ["one"]
    assert mailbox.take_patient() == []

    mailbox.put_patient("two")  # is noted although the note of the first one is still there
    assert mailbox.take(LONG_SECONDS, 0.0) == ["two"]


def test_one_that_ends_the_wait_brings_all(mailbox: Mailbox[str]) -> None:
    mailbox.put_patient("quiet")
    mailbox.put("loud")
    mailbox.put_patient("later")
    mailbox.put("louder")

    assert mailbox.take(LONG_SECONDS, BATCH_SECONDS) == ["quiet", "later", "loud", "louder"]


def test_a_wait_that_is_over_is_none(mailbox: Mailbox[str]) -> None:
    mailbox.put("here")

    assert mailbox.take(-5.0, BATCH_SECONDS) == ["here"]
    assert mailbox.take(-5.0, BATCH_SECONDS) == []


def test_a_wait_ends_also_if_its_time_passes_before_it_begins(mailbox: Mailbox[str]) -> None:
    def wait_often() -> None:
        for nanoseconds in range(10_000):
            mailbox.put_patient("one")
            mailbox.take(LONG_SECONDS, nanoseconds / 1e9)

    waiting = threading.Thread(target=wait_often, daemon=True)
    waiting.start()
    waiting.join(LONG_SECONDS)
    assert not waiting.is_alive()


def test_a_signal_handler_may_send_to_the_thread_that_it_interrupts(mailbox: Mailbox[str]) -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: mailbox.put("signal"))
    try:
        for _ in range(100):
            signal.raise_signal(signal.SIGUSR2)
            assert mailbox.take(LONG_SECONDS, BATCH_SECONDS) == ["signal"]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_none_is_lost_or_twice_whatever_the_threads_do() -> None:
    mailbox: Mailbox[int] = Mailbox()

    def send(first: int) -> None:
        for number in range(first, first + 1000):
            send_one = mailbox.put if number % 3 else mailbox.put_patient
            send_one(number)
            if number % 50 == 0:
                sleep(0.001)

    threads = [threading.Thread(target=send, args=(1000 * n,)) for n in range(4)]
    for each in threads:
        each.start()
    taken: list[int] = []
    while any(each.is_alive() for each in threads):
        taken += mailbox.take(0.001, 0.001)
    taken += mailbox.take(0.0, 0.0)

    assert sorted(taken) == [*range(4000)]
    for first in range(0, 4000, 1000):  # of one thread and kind in the order in which they came
        loud = [each for each in taken if first <= each < first + 1000 and each % 3]
        assert loud == sorted(loud)
