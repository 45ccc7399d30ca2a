"""What is wrong is in the headline of the page, and open."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from ldaphealth.live.live_server import LiveServer
from ldaphealth.live.live_state import LiveView
from ldaphealth.model import CheckEffect, Finding, State, Trust, Verdict
from ldaphealth.page import page
from tests.page import views


def split(server: str) -> Verdict:
    finding = Finding(
        server=server,
        check="replication",
        state=State.CRITICAL,
        code="split",
        summary="split for 77.7 s: ldap1, ldap2 against ldap3, ldap4",
        trust=Trust.INFORMATIVE,
    )
    whole = views.with_finding(views.fine(server), finding, CheckEffect.WATCH)
    return replace(whole, remedies={"replication.split": "repair the links"})


def shown(*verdicts: Verdict, **more: Any) -> str:
    known = {
        each.server: LiveServer(verdict=each, valid_until=views.BOOT + 60) for each in verdicts
    }
    return page.render(
        LiveView({"example": known}),
        views.HEALTH,
        boot_seconds=views.BOOT,
        epoch_seconds=views.EPOCH,
        **more,
    )


def test_servers_in_service_that_are_critical_are_red_open_and_in_the_headline() -> None:
    text = shown(*(split(f"example/ldap{n}") for n in (1, 2, 3, 4)))

    assert '<div id=":summary" class="summary critical"' in text
    assert '<p class="wrong">4 critical: replication.split</p>' in text
    assert len(re.findall(r'<details class="server critical" id="[^"]*" open>', text)) == 4
    assert text.count("What to do: repair the links") == 4
    assert "<code>ldaphealth doctor</code>" in text


def test_a_healthy_page_has_no_such_lines() -> None:
    text = shown(views.fine("example/ldap1"))

    assert 'class="wrong"' not in text
    assert "doctor" not in text


def test_a_server_has_its_address() -> None:
    text = shown(views.fine("example/a"), addresses={"example/a": "ldap://<a>.example:1389"})

    assert "ldap://&lt;a&gt;.example:1389" in text
