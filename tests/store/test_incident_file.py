"""The file of incidents: the agent reads what it wrote, and the errors of a person's are plain."""

from __future__ import annotations

import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldaphealth.files.lock_file import LockFile
from ldaphealth.history.incident import Incident
from ldaphealth.store.incident_file import (
    MAX_BYTES,
    IncidentError,
    IncidentFile,
    incidents_text,
    read_incidents,
)

BEGAN, ENDED, MARKED = 1_795_400_000.0, 1_795_401_000.0, 1_795_403_000.0
FIRST = Incident(
    id=1,
    target="c/a",
    began=BEGAN,
    ended=ENDED,
    note="logins hung",
    by="alice",
    marked_at=MARKED,
)


def kept(directory: Path) -> IncidentFile:
    return IncidentFile(directory / "incidents.yaml", lambda: MARKED + 0.5)


def written(directory: Path, text: str) -> Path:
    path = directory / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_added_is_read_again_with_the_next_id(tmp_path: Path) -> None:
    file = kept(tmp_path)

    assert file.read() == []
    assert file.add("c/a", BEGAN + 0.7, ENDED, "logins hung", "alice") == FIRST
    open_one = file.add("c", BEGAN, None, "all down", "bob")

    assert kept(tmp_path).read() == [FIRST, open_one]
    assert (open_one.id, open_one.ended) == (2, None)
    assert stat.S_IMODE((tmp_path / "incidents.yaml").stat().st_mode) == 0o640


def test_an_end_is_set_and_an_incident_removed(tmp_path: Path) -> None:
    file = kept(tmp_path)
    file.add("c", BEGAN, None, "all down", "bob")
    file.add("c/a", BEGAN, ENDED, "slow", "bob")

    assert file.end(1, ENDED + 0.9).ended == ENDED
    assert file.remove(2).note == "slow"
    assert [(each.id, each.ended) for each in file.read()] == [(1, ENDED)]
    with pytest.raises(IncidentError, match="there is no incident 2; the newest are: 1"):
        file.remove(2)
    with pytest.raises(IncidentError, match="to: is not after `from`"):
        file.end(1, BEGAN)
    assert [each.ended for each in file.read()] == [ENDED]


def test_a_damaged_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "incidents.yaml"
    path.write_text("incidents: [{target")

    with pytest.raises(IncidentError, match=r"incidents\.yaml: line 2"):
        kept(tmp_path).add("c", BEGAN, None, "all down", "bob")
    assert path.read_text() == "incidents: [{target"


def test_a_full_file_refuses_more_and_keeps_all(tmp_path: Path) -> None:
    path = tmp_path / "incidents.yaml"
    text = incidents_text(
        Incident(id=at, target="c", began=BEGAN, ended=None, note="☃" * 200)
        for at in range(1, MAX_BYTES // 700)
    )
    path.write_text(text, encoding="utf-8")
    file = kept(tmp_path)
    while MAX_BYTES - path.stat().st_size > 800:
        file.add("c", BEGAN, None, "☃" * 200, "bob")
    before = path.read_bytes()

    with pytest.raises(IncidentError, match=r"is full \(256 KiB\); remove old incidents"):
        file.add("c", BEGAN, None, "☃" * 200, "b" * 200)
    assert path.read_bytes() == before
    assert kept(tmp_path).remove(1).id == 1


def test_processes_that_mark_at_the_same_time_lose_none_and_share_no_id(tmp_path: Path) -> None:
    """Each shard of an agent has an `IncidentFile` of its own: the lock is that of the file."""
    threads = [
        threading.Thread(
            target=kept(tmp_path).add, args=("c", BEGAN, None, f"note {number}", "alice")
        )
        for number in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    found = kept(tmp_path).read()
    assert sorted(each.id for each in found) == [*range(1, 9)]
    assert {each.note for each in found} == {f"note {number}" for number in range(8)}


def test_a_file_that_others_change_without_end_is_not_waited_for(tmp_path: Path) -> None:
    busy = r"incidents\.yaml: is being changed; nothing was done; try again"
    with closing(LockFile(tmp_path / "incidents.lock")), pytest.raises(IncidentError, match=busy):
        kept(tmp_path).add("c", BEGAN, None, "note", "alice")

    kept(tmp_path).add("c", BEGAN, None, "note", "alice")


def test_what_cannot_be_written_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    file = kept(tmp_path / "removed")

    with pytest.raises(IncidentError, match=r"incidents\.yaml: No such file or directory"):
        file.add("c", BEGAN, None, "all down", "bob")
    assert file.read() == []


def test_threads_add_side_by_side(tmp_path: Path) -> None:
    file = kept(tmp_path)
    threads = [
        threading.Thread(target=file.add, args=("c", BEGAN, None, f"{at}", "bob"))
        for at in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert [each.id for each in file.read()] == [*range(1, 9)]
    assert {each.note for each in file.read()} == {f"{at}" for at in range(8)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    note=st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()),
    by=st.text(max_size=20),
    began=st.integers(0, 4_000_000_000),
)
def test_any_text_survives_the_file(tmp_path: Path, note: str, by: str, began: int) -> None:
    incident = Incident(
        id=7, target="c/a", began=float(began), ended=began + 1.0, note=note, by=by, marked_at=1.0
    )
    try:
        text = incidents_text([incident])
        text.encode()
    except UnicodeEncodeError:
        return

    assert read_incidents(written(tmp_path, text)) == [incident]


def test_a_person_writes_moments_as_in_yaml(tmp_path: Path) -> None:
    found = read_incidents(
        written(
            tmp_path,
            "incidents:\n"
            "- {target: c/a, from: 2026-11-23T03:12Z, to: 2026-11-23T03:40:00Z, note: slow}\n"
            "- {target: c, from: 2026-11-23 04:12:00+01:00, note: slow}\n"
            "- {target: c, from: 2026-11-23, to: '2026-11-23T03:12', note: slow, id: 9}\n",
        )
    )

    at = 1_795_403_520.0
    assert [each.began - at for each in found] == [0.0, 0.0, -11520.0]
    assert [each.ended and each.ended - at for each in found] == [1680.0, None, 0.0]
    assert [(each.id, each.by, each.marked_at) for each in found] == [
        (1, "", None),
        (2, "", None),
        (9, "", None),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file: must be a mapping"),
        ("incidents: []\nservers: {}", "servers: unknown key"),
        ("incidents:\n- {target: c, note: x}", "incidents.1.from: is missing"),
        ("incidents:\n- {target: c, from: 2h, note: x}", "from: must be a moment, such as 20"),
        ("incidents:\n- {target: c, from: 7, note: x}", "from: must be a moment, such as 20"),
        ("incidents:\n- {target: c, from: 2026-13-23, note: x}", "line 2: the value is no "),
        ("incidents:\n- {target: c/a/b, from: 2026-11-23, note: x}", "CLUSTER or CLUSTER/SERVER"),
        ("incidents:\n- {target: c, from: 2026-11-23, note: ''}", "incidents.1.note: "),
        (
            "incidents:\n- {target: c, from: 2026-11-23, to: 2026-11-22, note: x}",
            "incidents.1.to: is not after `from`",
        ),
        (
            "incidents: [{target: c, from: 2026-11-23, note: x, id: 2}, "  # noqa: ISC004
            "{target: c, from: 2026-11-23, note: x}]",
            "incidents: 2 of them have the ID 2",
        ),
    ],
)
def test_a_mistake_of_a_person_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(IncidentError) as found:
        read_incidents(path)
    assert str(found.value).startswith(f"{path}: ")
    assert problem in str(found.value)
    assert "\n" not in str(found.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IncidentError, match="none: cannot read it: No such file"):
        read_incidents(tmp_path / "none")
    assert read_incidents(written(tmp_path, "incidents:\n")) == []
