"""What a shadow would have changed is in the history of its cluster, apart from verdicts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from ldaphealth.publishers.shadow_publication import ShadowChange, ShadowPublication, beside
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.history_reading import HistoryError
from tests.sinks.snapshots import serving
from tests.store.test_history import SERVER, Disk, changed, comes_true


def stored_shadows(history: HistoryDatabase) -> int:
    """Return how many are on disk; none while there is no file yet."""
    try:
        return sum("shadow" in each for each in history.changes("", 9, None))
    except HistoryError:
        return 0


def test_it_is_no_verdict_on_the_server(tmp_path: Path) -> None:
    verdict = serving(SERVER)
    out = beside(verdict, replace(verdict, in_service=False, weight=0))
    with ExitStack() as stack:
        history = Disk(tmp_path / "state", stack).open()
        history.publish(changed(verdict))
        judged = ShadowPublication(cluster="main", verdicts={SERVER: out})
        history.publish_shadow(judged)  # nothing has changed
        history.publish_shadow(replace(judged, changes=[ShadowChange(out)]))
        assert comes_true(lambda: stored_shadows(history) == 1)
        shadow, usual = history.changes("main", 9, None)
        [of_server] = history.changes(SERVER, 9, None)

    assert of_server == usual
    assert usual["verdict"]["server"] == SERVER
    assert shadow.keys() == {"at", "shadow"}
    assert shadow["shadow"]["server"] == SERVER
    assert shadow["shadow"]["would"] == "would have removed ldap1"
    assert shadow["shadow"]["in_service"] is False
