"""A page with what is kept of the last one is the same page; only what changed is rendered."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.model import Verdict
from ldaphealth.page import page
from ldaphealth.page.kept_cards import KeptCards
from ldaphealth.page.server_card import CardOverride
from tests.page import views
from tests.page.views import BOOT, EPOCH, HOLDS_SECONDS, OVERRIDES

Overrides = Mapping[str, CardOverride]


@pytest.fixture(scope="module")
def realistic() -> LiveView:
    return views.realistic()


def rendered(
    view: LiveView, kept: KeptCards | None, now: float = BOOT, overrides: Overrides | None = None
) -> str:
    return page.render(
        view,
        views.HEALTH,
        boot_seconds=now,
        epoch_seconds=EPOCH + now - BOOT,
        overrides=overrides,
        kept=kept,
    )


KINDS = (views.fine, views.silent, views.held, views.draining, views.behind)


@st.composite
def some(draw: st.DrawFn, realistic: LiveView) -> LiveView:
    """Draw a view of some of the servers, some of them with another verdict or another hour."""
    every = dict(realistic.servers())
    chosen = draw(st.lists(st.sampled_from(sorted(every)), unique=True))
    hours = [each.hours for each in every.values()]

    def server(name: str) -> LiveServer:
        known = every[name]
        if draw(st.booleans()):
            return known
        verdict = draw(st.sampled_from(KINDS))(name)
        return replace(known, verdict=verdict, hours=draw(st.sampled_from(hours)))

    servers = {name: server(name) for name in chosen}
    return LiveView({"example": servers} if draw(st.booleans()) else {"a": servers, "b": {}})


@settings(max_examples=30)
@given(st.data())
def test_a_page_is_the_same_with_what_is_kept(realistic: LiveView, data: st.DataObject) -> None:
    kept = KeptCards()
    views_drawn = data.draw(st.lists(some(realistic), min_size=1, max_size=2))
    for _ in range(4):
        view = data.draw(st.sampled_from([realistic, *views_drawn]))
        now = data.draw(st.sampled_from([BOOT, BOOT + 9, BOOT + 2 * HOLDS_SECONDS]))
        overrides = data.draw(st.sampled_from([{}, OVERRIDES]))

        assert rendered(view, kept, now, overrides) == rendered(view, None, now, overrides)


def test_only_the_servers_that_changed_are_rendered_again(realistic: LiveView) -> None:
    kept, name = KeptCards(), "example/ldap1"
    servers = dict(realistic.servers())
    first = kept.html(kept.cards(servers, BOOT, {}))
    changed = {**servers, name: replace(servers[name], verdict=views.held(name))}
    second = kept.html(kept.cards(changed, BOOT, {}))
    stale = next(server for server, known in servers.items() if known.is_stale(BOOT))
    third = kept.html(kept.cards(changed, BOOT + 1, {}))

    assert {server for server in servers if first[server] is not second[server]} == {name}
    assert {server for server in servers if second[server] is not third[server]} == {stale}


def test_a_round_without_news_renders_nothing_again(realistic: LiveView) -> None:
    kept, servers = KeptCards(), dict(realistic.servers())
    first = kept.html(kept.cards(servers, BOOT, {}))
    later = {
        name: replace(known, verdict=_a_moment_later(known.verdict))
        for name, known in servers.items()
    }
    second = kept.html(kept.cards(later, BOOT, {}))

    assert all(first[name] is second[name] for name in servers)


def _a_moment_later(verdict: Verdict) -> Verdict:
    return replace(verdict, lasted_seconds=verdict.lasted_seconds + 0.1)


def test_servers_that_are_gone_are_forgotten(realistic: LiveView) -> None:
    kept = KeptCards()
    rendered(realistic, kept)
    rendered(LiveView(), kept)

    assert (kept._cards, kept._plots, kept._html) == ({}, {}, {})
