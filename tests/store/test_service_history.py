"""The changes of a period, as the availability of servers is made of them."""

from __future__ import annotations

from msgspec.structs import replace

from ldaphealth.history.availability import ServiceChange
from ldaphealth.model import OverrideNote, Verdict
from ldaphealth.publishers.publication import BaselineChange
from tests.sinks.snapshots import serving, silent
from tests.store.disk import START, Disk, changed, comes_true, stored

DRAINED = OverrideNote(action="drain", by="ann", reason="kernel", until_epoch=START + 3600)


def publish(disk: Disk, *verdicts: Verdict) -> None:
    """Write one change after the other, ten seconds apart."""
    history = disk.open()
    for number, verdict in enumerate(verdicts, 1):
        history.publish(changed(verdict))
        assert comes_true(lambda: len(stored(history)) >= number)  # noqa: B023
        disk.clock.passes(10.0)


def test_each_server_has_its_changes_of_the_period_and_the_last_one_before(disk: Disk) -> None:
    out = replace(serving("main/ldap1"), in_service=False, override=DRAINED)
    publish(
        disk,
        silent("main/ldap1"),
        serving("main/ldap1"),
        serving("main/ldap2"),
        silent("main/ldap2"),
        out,
        serving("main/ldap1"),
        serving("other/ldap1"),
    )
    history = disk.open()

    found = history.service_changes("", START + 15, START + 45)
    assert found == {
        "main/ldap1": [
            ServiceChange(START + 10, True),
            ServiceChange(START + 40, False, ("operator",)),
        ],
        "main/ldap2": [
            ServiceChange(START + 20, True),
            ServiceChange(START + 30, False, ("bind.timeout",)),
        ],
    }
    assert [*history.service_changes("main/ldap2", START, START + 99)] == ["main/ldap2"]
    assert [*history.service_changes("main", START, START + 99)] == ["main/ldap1", "main/ldap2"]
    assert history.service_changes("mai", START, START + 99) == {}


def test_what_is_no_verdict_is_left_out(disk: Disk) -> None:
    history = disk.open()
    baseline = BaselineChange(
        cluster="main", check="replication", accepted_by="operator", summary="", replaced={}
    )
    history.publish(replace(changed(serving("main/ldap1")), baselines=(baseline,)))
    assert comes_true(lambda: len(stored(history)) >= 1)

    assert [*history.service_changes("main", START, START + 9)] == ["main/ldap1"]
