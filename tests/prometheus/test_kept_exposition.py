"""A scrape with what is kept of the one before has the bytes that the library alone writes."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.checks import resources
from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.model import AnyObservation
from ldaphealth.prometheus import KeptExposition, exposition
from ldaphealth.prometheus.encoder import negotiated
from tests.prometheus.drawn import NAMES, knowns
from tests.sinks.healthy import HEALTH, NOW, UNTIL, cluster, healthy, view
from tests.sinks.nasty import NASTY

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TEXT_1 = "text/plain;version=1.0.0"
ACCEPTS = (
    "",
    TEXT,
    TEXT_1,
    OPENMETRICS,
    f"{OPENMETRICS};escaping=allow-utf-8",
    *(f"{TEXT_1};escaping={each}" for each in ("allow-utf-8", "underscores", "dots", "values")),
)
FIELDS = ("verdict", "valid_until", "seen", "times", "rounds", "shadow")


def view_of(servers: dict[str, LiveServer]) -> LiveView:
    return LiveView({"c": {f"c/{name}": known for name, known in servers.items()}})


def assert_same(kept: KeptExposition, shown: LiveView, now: float = NOW, accept: str = "") -> bytes:
    """Return the response, which is that of the library."""
    found = kept.exposition(shown, HEALTH, now, accept)
    assert found == exposition(shown, HEALTH, now, accept)
    return found[0]


@st.composite
def successors(draw: st.DrawFn, servers: dict[str, LiveServer]) -> dict[str, LiveServer]:
    """Draw what follows: servers that are the same, that changed in part, came, went or moved."""
    left = {name: known for name, known in servers.items() if draw(st.integers(0, 9))}
    found = {}
    for name, known in left.items():
        new = draw(st.none() | knowns())
        changed = draw(st.sets(st.sampled_from(FIELDS))) if new is not None else ()
        found[name] = replace(known, **{each: getattr(new, each) for each in changed})
        if not changed:
            found[name] = known
    came = draw(st.dictionaries(NAMES, knowns(), max_size=1))
    order = draw(st.permutations([*{**found, **came}])) if draw(st.booleans()) else [*found, *came]
    return {name: {**came, **found}[name] for name in order}


@given(st.data(), st.dictionaries(NAMES, knowns(), max_size=3))
def test_all_that_follows_is_as_the_library_writes_it(
    data: st.DataObject, servers: dict[str, LiveServer]
) -> None:
    kept = KeptExposition()
    for _ in range(3):
        shown, accept = view_of(servers), data.draw(st.sampled_from(ACCEPTS))
        assert_same(kept, shown, data.draw(st.sampled_from([NOW, NOW + 5])), accept)
        servers = data.draw(successors(servers))


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_cluster_in_each_form(accept: str) -> None:
    kept = KeptExposition()
    shown = cluster(2)
    body = assert_same(kept, shown, accept=accept)

    assert body == assert_same(kept, shown, accept=accept)
    assert b"ldap2" in body


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_form_with_other_names_is_left_to_the_library(accept: str) -> None:
    assert negotiated(accept).has_plain_lines is not accept.endswith("dots")


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_nasty_names(text: str) -> None:
    known = cluster(1).clusters["example"]["example/ldap1"]
    shown = LiveView({text: {f"{text}/{text}": known, f"{text}/1": known}})

    assert_same(KeptExposition(), shown)


@pytest.mark.parametrize("names", [("x" * 101, "x" * 102), ("\n", r"\n")])
def test_servers_that_are_printed_alike_have_no_series_twice(names: tuple[str, str]) -> None:
    known = cluster(1).clusters["example"]["example/ldap1"]
    kept = KeptExposition()
    body = assert_same(kept, view_of(dict.fromkeys(names, known)))

    assert body.count(b"ldaphealth_server_in_service{") == 1
    assert_same(kept, view_of({names[0]: known}))


def test_a_verdict_that_expires_while_nothing_changes_is_left_out() -> None:
    kept, shown = KeptExposition(), cluster(2)
    valid, expired = (assert_same(kept, shown, now) for now in (UNTIL - 0.1, UNTIL))

    assert b"ldaphealth_server_in_service{" in valid
    assert b"ldaphealth_server_in_service{" not in expired
    assert assert_same(kept, shown, UNTIL - 0.1) == valid


def test_a_label_that_came_is_gone_again() -> None:
    kept, name = KeptExposition(), "example/ldap1"
    held = assert_same(kept, view(replace(healthy(name), held_by="a rule of another version")))
    plain = assert_same(kept, view(healthy(name)))

    assert b"a rule of another version" in held
    assert b"a rule of another version" not in plain


def test_series_that_were_left_out_are_counted_while_they_are() -> None:
    kept, known = KeptExposition(), cluster(1).clusters["example"]["example/ldap1"]
    for number in (2, 100, 3):
        databases = (resources.Database("dc=example,dc=com", 0.4, 0.1),) * number
        found: AnyObservation = replace(
            known.seen["resources"], facts=resources.Facts(databases=databases)
        )
        shown = LiveView({"example": {"example/ldap1": replace(known, seen={"resources": found})}})
        body = assert_same(kept, shown)

        assert f"ldaphealth_series_left_out {2.0 * (number - 1)}\n".encode() in body


def test_what_is_kept_is_bounded_by_the_servers() -> None:
    kept = KeptExposition()
    for number in range(20):
        assert_same(kept, view(healthy(f"example/ldap{number}"), healthy("example/always")))
    lines = len(kept._lines_in_use)
    assert_same(kept, LiveView())

    assert [*kept._servers] == []
    assert 0 < lines < 100
    assert len(kept._lines_in_use) == 0


def test_servers_with_the_same_labels_share_their_lines() -> None:
    one, many = KeptExposition(), KeptExposition()
    assert_same(one, cluster(1))
    assert_same(many, cluster(20))

    assert len(many._lines_in_use) == len(one._lines_in_use)


def test_after_an_error_nothing_old_is_told() -> None:
    kept, shown = KeptExposition(), cluster(2)
    assert_same(kept, shown)
    one, two = shown.clusters["example"].items()
    changed = (one[0], replace(one[1], rounds=9))
    wrong = (two[0], replace(two[1], verdict=None))
    with pytest.raises(AttributeError):
        kept.exposition(LiveView({"example": dict([changed, wrong])}), HEALTH, NOW)

    assert_same(kept, LiveView({"example": dict([changed, two])}))


def test_threads_with_different_views_get_each_their_own() -> None:
    kept = KeptExposition()
    views = [cluster(number) for number in (1, 3, 5)]
    wanted = [exposition(shown, HEALTH, NOW) for shown in views]
    right: list[bool] = []

    def scrape(number: int) -> None:
        found = [kept.exposition(views[number], HEALTH, NOW) for _ in range(30)]
        right.extend(each == wanted[number] for each in found)

    threads = [threading.Thread(target=scrape, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60.0)

    assert not any(each.is_alive() for each in threads)
    assert right == [True] * 90
