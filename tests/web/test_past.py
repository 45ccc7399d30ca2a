"""The pages and documents of the history, through real sockets, from a real file."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.settings import HttpSettings
from ldaphealth.text.moment import moment
from ldaphealth.web import past, past_answers
from tests.page import views
from tests.web.listening import HOST, Listening, cluster
from tests.web.past_site import OPERATIONS, PastSite, verdicts

EXAMPLE = cluster("example", "ldap1", "ldap2", "new")
API = "/api/v1/history/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PastSite:
    made = PastSite(tmp_path_factory.mktemp("past") / "history.sqlite3", time.time())
    made.write()
    return made


@pytest.fixture
def web(site: PastSite) -> Iterator[Listening]:
    with Listening((EXAMPLE,), history_file=site.path) as listening:
        listening.publish(*verdicts())
        yield listening


def document(web: Listening, path: str) -> Any:
    answer = web.get(f"{API}{path}")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.body)


def test_changes_are_those_of_the_period_newest_first(web: Listening, site: PastSite) -> None:
    latest = document(web, "changes?target=example/ldap2&limit=2")
    day = document(web, "changes?target=example&since=24h&limit=1000")
    old = document(web, f"changes?until={moment(site.begin + 10)}")

    assert [each["verdict"]["in_service"] for each in latest] == [True, False]
    assert [each["verdict"]["server"] for each in day] == ["example/ldap2"] * 4
    assert {each["verdict"]["server"] for each in old} == {"example/ldap1", "example/ldap2"}


def test_availability_is_of_servers_and_their_cluster(web: Listening) -> None:
    found = document(web, "availability?target=example&since=24h")

    assert [each["server"] for each in found["servers"]] == ["example/ldap1", "example/ldap2"]
    assert [each["out_seconds"] for each in found["servers"]] == [0.0, 690.0]
    assert found["servers"][1]["removals"] == {"bind.timeout": 2}
    assert [(each["cluster"], each["outages"]) for each in found["clusters"]] == [("example", 0)]
    assert document(web, "availability?target=example/ldap2")["clusters"] == []


def test_times_are_those_of_an_operation_by_period(web: Listening) -> None:
    found = document(web, "times?target=example/ldap2&check=write.modify&since=24h&by=hour")
    (server,) = found["servers"]

    assert (found["check"], found["operation"], found["quantile"]) == ("write", "modify", 0.99)
    assert 22 <= len(server["periods"]) <= 25
    assert all(each["seconds"] == 3600 for each in server["periods"])
    both = document(web, "times?check=bind&quantile=0.5&since=2d")
    assert [each["server"] for each in both["servers"]] == ["example/ldap1", "example/ldap2"]


def test_numbers_are_by_label_and_period(web: Listening) -> None:
    found = document(
        web, "numbers?number=replication.behind_seconds&target=example/ldap2&since=24h&by=hour"
    )
    (server,) = found["servers"]

    assert (found["number"], found["unit"]) == ("replication.behind_seconds", "seconds")
    assert [each["label"] for each in server["numbers"]] == ["001", "002", "003"]
    assert [each["most"] > 300 for each in server["numbers"]] == [False, True, False]
    assert len(document(web, "numbers?number=resources.connections")["servers"]) == 2


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("times", 400, "check is missing, such as ?check=search or ?check=bind.bind"),
        ("times?check=bind&by=week", 400, "by must be one of minute, hour, day"),
        ("times?check=bind&quantile=nan", 400, "quantile must be a share from 0 to 1"),
        ("times?check=bind&by=minute&since=2d", 400, "more than 1000 periods"),
        (
            "times?chek=bind",
            400,
            "no parameter 'chek'; there are target, since, until, check, quantile, by",
        ),
        ("times?check=bind&since=2020-01-01&by=day", 400, "more than 1000 periods"),
        ("numbers", 400, "number is missing, such as ?number=replication.behind_seconds"),
        ("numbers?number=replication.behind", 400, "the history has no number"),
        ("numbers?number=resources.connections&by=minute&since=9d", 400, "more than 1000 periods"),
        ("numbers?number=resources.connections&target=example/x", 404, "no server 'example/x'"),
        ("changes?limit=0", 400, "limit must be a number from 1 to 1000"),
        ("changes?limit=%C2%B2", 400, "limit must be a number from 1 to 1000"),
        ("changes?since=yesterday", 400, "since: 'yesterday' is not a moment that is known"),
        ("changes?since=", 400, "since: '' is not a moment that is known"),
        ("availability?until=", 400, "until: '' is not a moment that is known"),
        ("changes?since=1h&until=2h", 400, "is not before"),
        ("changes?since=" + "9" * 300 + "d", 400, "since is longer than 200 characters"),
        ("availability?target=example/ldap3", 404, "no server 'example/ldap3'; did you mean"),
        ("availability?target=exampel", 404, "no cluster 'exampel'; did you mean example?"),
        ("changes?target=nothing/at/all", 404, "no cluster 'nothing'"),
        ("times?check=bind&target=example/x", 404, "no server 'example/x'"),
        ("everything", 404, "no such document; there are changes, availability, times, numbers"),
    ],
)
def test_a_wrong_query_is_one_line_of_json(
    web: Listening, path: str, status: int, error: str
) -> None:
    answer = web.get(f"{API}{path}")

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert "\n" not in answer.body.strip()
    assert error in json.loads(answer.body)["error"]


@pytest.mark.parametrize("since", ["9" * 30 + "d", "0001-01-01", "1900-01-01T00:00:00+23:59"])
def test_a_moment_before_all_clocks_is_the_beginning(web: Listening, since: str) -> None:
    since = since.replace("+", "%2B")

    assert document(web, f"availability?since={since}")["since"] == "1970-01-01T00:00:00Z"


def test_a_configured_server_without_a_history_is_empty(web: Listening) -> None:
    assert document(web, "changes?target=example/new") == []
    assert document(web, "availability?target=example/new")["servers"] == []
    assert document(web, "times?target=example/new&check=bind")["servers"] == []


def test_a_removed_server_keeps_its_history(site: PastSite) -> None:
    with Listening((cluster("example", "ldap1"),), history_file=site.path) as web:
        assert document(web, "availability?target=example/ldap2")["servers"]
        assert "not configured any longer" in web.get("/history/example/ldap2").body
        assert ">ldap2</a>" in web.get("/history/example").body


def test_too_much_is_refused(web: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MOST_PERIODS", 10)
    times = web.get(f"{API}times?check=bind&since=24h&by=hour")
    numbers = web.get(f"{API}numbers?number=resources.connections&since=24h&by=hour")
    monkeypatch.setattr(past_answers, "MOST_BYTES", 100)
    changes = web.get(f"{API}changes")

    assert (times.status, numbers.status, changes.status) == (400, 400, 400)
    assert "2 servers with more than 10 periods together" in times.body
    assert "choose a shorter period" in changes.body


def test_what_takes_too_long_is_said(web: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "READ_SECONDS", -1.0)
    times = web.get(f"{API}times?check=bind")
    page = web.get("/history/example/ldap2")

    numbers = web.get(f"{API}numbers?number=resources.connections")

    assert (times.status, numbers.status, page.status) == (503, 503, 200)
    assert "choose a shorter period, or one server" in json.loads(times.body)["error"]
    assert "Not all plots are shown: at most 64 of a kind are" in page.body


@pytest.mark.parametrize("content", [None, b"no database" * 100, b""])
def test_a_history_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "history.sqlite3"
    if content is not None:
        path.write_bytes(content)
    with Listening((EXAMPLE,), history_file=path) as web:
        answers = [web.get(f"{API}{each}") for each in ("changes", "availability")]
        page = web.get("/history/example/ldap1")

    assert [each.status for each in (*answers, page)] == [503] * 3
    assert "the history cannot be read" in json.loads(answers[0].body)["error"]
    assert page.body.startswith("the history cannot be read")


def test_a_writer_is_not_waited_for(web: Listening, site: PastSite) -> None:
    with closing(sqlite3.connect(site.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert web.get(f"{API}changes").status == 200
        assert time.monotonic() - began < 5.0
        writer.execute("ROLLBACK")


def test_health_is_answered_while_the_history_is_read(web: Listening) -> None:
    pages = [
        threading.Thread(target=web.get, args=("/history/example/ldap2?period=month",))
        for _ in range(3)
    ]
    for each in pages:
        each.start()
    assert web.get("/live").status == 200
    for each in pages:
        each.join(20)


@pytest.mark.parametrize("path", ["/history/example", "/history/example/ldap1", f"{API}changes"])
def test_it_needs_the_credentials_of_a_reader(site: PastSite, tmp_path: Path, path: str) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    token.chmod(0o600)
    http = HttpSettings(listen=Endpoint("tcp", HOST, 0), token_file=str(token), open_health=True)
    with Listening((EXAMPLE,), http, history_file=site.path) as web:
        assert web.get(path).status == 401
        assert web.get(path, Authorization="Bearer t0ken").status == 200


@pytest.mark.parametrize("path", ["/history/example", f"{API}changes"])
def test_without_credentials_another_host_name_is_refused(web: Listening, path: str) -> None:
    assert web.get(path, Host="evil.example").status == 421


def test_a_page_has_the_policy_of_its_style_and_no_script(web: Listening) -> None:
    for path in ("/history/example", "/history/example/ldap2"):
        answer = web.get(path)
        (style,) = re.findall(r"<style>(.*?)</style>", answer.body, re.DOTALL)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        policy = answer.headers["content-security-policy"]

        assert f"style-src 'sha256-{digest}'" in policy
        assert "script" not in policy
        assert "<script" not in answer.body
        assert not re.search(r'\s(?:style|on\w+)="', answer.body)
        assert not re.search(r'(?:src|href)="(?:https?:|//|/)', answer.body)


def test_each_operation_has_a_plot(web: Listening) -> None:
    body = web.get("/history/example/ldap2?period=week").body
    names = {f"{check}.{each}" for check, of in OPERATIONS.items() for each in of}

    assert {
        name.partition(" on ")[0] for name in re.findall(r"<title>Times of (.*?)</title>", body)
    } == names
    numbers = re.findall(r"<b>((?:replication|resources|entry_count|certificate): .*?)</b>", body)
    assert numbers[:2] == [
        "replication: behind (002)",
        "resources: database pages (dc=example,dc=com)",
    ]
    assert body.count("<desc>") == 1 + len(names) + len(numbers)
    assert (
        "The same all the time: replication: behind (001) 0 s, replication: behind (003) 0 s, "
        "resources: database pages max (dc=example,dc=com) 2.621 M, resources: pending operations 0"
    ) in body


def test_the_links_of_a_page_lead_somewhere(site: PastSite) -> None:
    name, server = "c" * 64, "s" * 64
    with Listening((EXAMPLE, cluster(name, server)), history_file=site.path) as web:
        web.publish(views.fine(f"{name}/{server}"))
        web.publish(*verdicts())
        paths = ["/", f"/history/{name}/{server}", "/history/example", "/history/example/ldap2"]
        for path in paths:
            links = re.findall(r'<a [^>]*?href="([^"#]+)"', web.get(path).body)
            links = [urljoin(path, html.unescape(each)) for each in links]
            assert len(links) > 5
            status = {each: web.get(each).status for each in links if each != "/ready"}
            assert set(status.values()) == {200}, status


@pytest.mark.parametrize(
    ("path", "status", "line"),
    [
        ("example/ldap3", 404, "no server 'example/ldap3'; did you mean"),
        ("exampel", 404, "no cluster 'exampel'; did you mean example?"),
        ("", 404, "no cluster ''"),
        ("example/", 404, "no server 'example/'"),
        ("example/ldap1/x", 404, "no server 'example/ldap1/x'"),
        ("example?period=decade", 400, "period must be one of hour, day, week, month, year"),
        ("example/ldap1?until=never", 400, "until: 'never' is not a moment"),
    ],
)
def test_a_wrong_page_is_one_line(web: Listening, path: str, status: int, line: str) -> None:
    answer = web.get(f"/history/{path}")

    assert (answer.status, answer.body.count("\n")) == (status, 1)
    assert answer.body.startswith(line)


@pytest.mark.parametrize("until", ["1970-01-02", "9999-12-31T23:59:59Z", "2000-02-29T12:00Z"])
@pytest.mark.parametrize("period", ["hour", "year"])
def test_a_period_without_a_history_is_empty(web: Listening, period: str, until: str) -> None:
    answer = web.get(f"/history/example/new?period={period}&until={until}")

    assert answer.status == 200
    assert answer.body.count("none in this period") == 2
    assert "not known: the history has no verdict of this period" in answer.body
