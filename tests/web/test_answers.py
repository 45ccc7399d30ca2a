"""What each route answers, through real sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from ldaphealth.guard.memory import Override
from ldaphealth.publishers.shadow_publication import ShadowPublication, beside
from ldaphealth.web.source import MOST_TO_HINT
from tests.web.listening import NASTY, NOW, Listening, cluster, verdict

SCHEMA = Path(__file__).parents[2] / "docs" / "status.schema.json"


@pytest.fixture
def web() -> Iterator[Listening]:
    with Listening((cluster("c", "a", "b", "z"), cluster("d", "x", min_in_service=0))) as listening:
        yield listening


def test_a_server_is_in_service_or_not(web: Listening) -> None:
    web.publish(
        verdict("c/a"),
        verdict("c/b", "bind.timeout"),
        verdict("c/z", "search.slow", draining=True, held_by="override"),
    )
    good, bad, drained = (web.get(f"/health/c/{name}") for name in "abz")

    assert (good.status, good.body) == (200, "c/a in service, weight 100\n")
    assert (bad.status, bad.body) == (503, "c/b out of service: bind.timeout\n")
    assert (drained.status, drained.body) == (
        503,
        "c/z draining, held by override: search.slow\n",
    )


def test_a_stale_verdict_is_not_told(web: Listening) -> None:
    web.publish(verdict("c/a"), holds_seconds=10)
    web.now += 10
    answer = web.get("/health/c/a")

    assert (answer.status, "no fresh verdict" in answer.body) == (503, True)
    assert json.loads(web.get("/health/c/a?format=json").body)["in_service"] is None
    assert web.get("/health/c?min=1").status == 503


def test_a_server_that_was_not_looked_at_yet_is_not_in_service(web: Listening) -> None:
    answer = web.get("/health/c/a")

    assert (answer.status, answer.body) == (503, "c/a not probed yet\n")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/health/c/aa", "no server 'c/aa'; did you mean a?\n"),
        ("/health/cc/a", "no cluster 'cc'; did you mean c?\n"),
        ("/health/cc", "no cluster 'cc'; did you mean c?\n"),
        ("/health/d/nothing", "no server 'd/nothing'; there are x\n"),
        ("/health/c/%0d%0aX", "no server 'c/\\r\\nX'; there are a, b, z\n"),
        ("/health/" + "a" * 9000, f"no cluster '{'a' * 64}'\n"),
        ("/health/c/..%2f..%2fetc%2fpasswd", "no such page; / lists the pages\n"),
        ("/../etc/passwd", "no such page; / lists the pages\n"),
        ("/metricz", "no such page; / lists the pages\n"),
        ("/live/", "no such page; / lists the pages\n"),
        ("//example.com/", "no such page; / lists the pages\n"),
    ],
)
def test_what_is_not_there_is_said(web: Listening, path: str, body: str) -> None:
    answer = web.get(path)

    assert (answer.status, answer.body) == (404, body)
    assert "location" not in answer.headers


def test_a_hint_costs_no_more_with_many_servers() -> None:
    """Comparing a name with a thousand others takes 20 ms, and a client may do it often."""
    names = [f"ldap{number}" for number in range(MOST_TO_HINT + 1)]
    with Listening((cluster("c", *names), cluster("d", *names[1:]))) as web:
        assert web.get("/health/c/ldap1x").body == "no server 'c/ldap1x'\n"
        assert web.get("/health/d/ldap1x").body == "no server 'd/ldap1x'; did you mean ldap1?\n"


def test_a_cluster_is_healthy_with_enough_servers_in_service(web: Listening) -> None:
    web.publish(verdict("c/a"), verdict("c/b"), verdict("c/z", "bind.timeout"))

    assert web.get("/health/c").body == "c 2 of 3 in service, 1 wanted\n"
    assert {n: web.get(f"/health/c?min={n}").status for n in range(1, 5)} == {
        1: 200,
        2: 200,
        3: 503,
        4: 503,
    }
    document = json.loads(web.get("/health/c", Accept="application/json").body)
    assert document == {
        "cluster": "c",
        "in_service": 2,
        "servers": 3,
        "wanted": 1,
        "without_verdict": [],
    }


def test_a_cluster_without_a_floor_still_needs_one_server(web: Listening) -> None:
    web.publish(verdict("d/x", "bind.timeout"))

    assert web.get("/health/d").status == 503


@pytest.mark.parametrize(
    "query",
    [
        "c?min=x",
        "c?min=-1",
        "c?min=0",
        "c?min=000",
        "c?min=",
        "c?min=99999999",
        "c?min=%C2%B2",
        "c?format=xml",
        "c/nothing?format=xml",
        "nothing?format=xml",
    ],
)
def test_a_question_that_means_nothing_is_refused(web: Listening, query: str) -> None:
    answer = web.get(f"/health/{query}")

    assert answer.status == 400
    assert re.fullmatch(r"(min|format) must be .*\n", answer.body)


def test_ready_once_every_server_has_a_fresh_verdict(web: Listening) -> None:
    assert web.get("/ready").body == "no fresh verdict on c/a, c/b, c/z, d/x\n"

    web.publish(verdict("c/a"), verdict("c/b"), verdict("c/z", "bind.timeout"))
    assert web.get("/ready").status == 503
    web.publish(verdict("d/x"))
    assert web.get("/ready").status == 200
    web.now += 60
    assert web.get("/ready").status == 503


def test_live_while_the_loop_comes_round(web: Listening) -> None:
    assert web.get("/live").status == 200
    web.ticked_at = NOW - 11
    answer = web.get("/live")
    assert (answer.status, answer.body) == (
        503,
        "the main loop of the agent has not run for 11 s\n",
    )


def test_a_reload_is_followed(web: Listening) -> None:
    web.publish(verdict("c/a"), verdict("c/b"), verdict("c/z"))
    web.clusters = (cluster("c", "a"), cluster("e", "x"))
    web.publish(verdict("c/a"))

    assert web.get("/health/c/b").status == 404
    assert web.get("/health/e/x").body == "e/x not probed yet\n"


def test_the_status_keeps_to_its_schema(web: Listening) -> None:
    web.publish(
        verdict("c/a"), verdict("c/b", "bind.timeout"), verdict("c/z", "x.y", draining=True)
    )
    web.overrides = {"c/z": Override("drain", NOW + 60, NASTY)}
    shadow = beside(verdict("c/a"), verdict("c/a", "search.slow"))
    web.live_state.publish_shadow(ShadowPublication(cluster="c", verdicts={"c/a": shadow}))
    document = json.loads(web.get("/api/v1/status").body)
    schema = json.loads(SCHEMA.read_text())
    snapshot = json.loads(SCHEMA.with_name("snapshot.schema.json").read_text())
    # one file refers to the other; the library would look for it in the network
    whole = json.loads(json.dumps(schema).replace("snapshot.schema.json#/$defs/", "#/$defs/")) | {
        "$defs": snapshot["$defs"] | schema.get("$defs", {})
    }

    jsonschema.Draft202012Validator(whole).validate(document)
    assert [each["server"] for each in document["verdicts"]] == ["c/a", "c/b", "c/z"]
    assert document["without_verdict"] == [{"server": "d/x", "why": "not probed yet"}]
    assert document["overrides"]["c/z"]["left_seconds"] == 60
    assert {server: each["would"] for server, each in document["shadow"].items()} == {
        "c/a": "would have removed a (search.slow)"
    }
    assert web.get("/health/c/a").status == 200
    assert document["valid_seconds"] == {"c/a": 10, "c/b": 10, "c/z": 10}
    assert document["listens"] == {
        "http": f"http://127.0.0.1:{web.port}",
        "haproxy": f"127.0.0.1:{web.haproxy_port}",
    }
    for key in whole["required"]:
        broken = {name: value for name, value in document.items() if name != key}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(whole).validate(broken)


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_what_a_server_says_stays_within_its_sink(web: Listening, accept: str) -> None:
    web.publish(verdict("c/a", NASTY))
    answer = web.get("/health/c/a", Accept=accept)

    assert answer.status == 503
    assert all(each.isprintable() for each in answer.body.splitlines())
    assert accept == "application/json" or answer.body.count("\n") == 1
    assert "set-cookie" not in {name.lower() for name in answer.headers}
    assert answer.headers["content-type"].partition(";")[0] == accept
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/live", "/ready", "/health/c", "/api/v1/status", "/none"])
def test_head_is_get_without_the_body(web: Listening, path: str) -> None:
    whole, head = web.get(path), web.get(path, method="HEAD")

    assert head.body == ""
    assert head.status == whole.status
    assert int(head.headers["content-length"]) == len(whole.body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO"])
def test_nothing_can_be_changed(web: Listening, method: str) -> None:
    answer = web.get("/live", method=method)

    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_every_answer_has_the_headers_that_protect_a_browser(web: Listening) -> None:
    for path in ("/", "/live", "/nothing", "/health/c?min=x"):
        headers = web.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_the_landing_page_leads_to_pages_that_are_there(web: Listening) -> None:
    links = re.findall(r'<a href="([a-z][^"]*)"', web.get("/").body)

    assert links
    assert {web.get(f"/{link}").status for link in links} <= {200, 503}
