"""How many servers are in service, and what is wrong, in one line."""

from __future__ import annotations

import pytest

from ldaphealth.tables.service_line import ServerState, service_line

FINE: ServerState = (True, "OK", [])
SPLIT: ServerState = (True, "CRITICAL", [("replication.split", "CRITICAL"), ("a.b", "WARNING")])
SLOW: ServerState = (True, "WARNING", [("search.slow", "WARNING")])


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        ([], "0 of 0 servers in service"),
        ([FINE, FINE], "2 of 2 servers in service"),
        ([SPLIT] * 4, "4 of 4 servers in service, 4 critical: replication.split"),
        (
            [SLOW, SPLIT, FINE, (False, "UNKNOWN", [("agent.stale", "UNKNOWN")])],
            (
                "3 of 4 servers in service, 1 critical: replication.split; 1 warning: search.slow; "
                "1 unknown: agent.stale"
            ),
        ),
        ([(True, "UNKNOWN", [])], "1 of 1 server in service, 1 unknown"),
        (
            [(False, "CRITICAL", [(f"c.{name}", "CRITICAL") for name in "fedcba"])],
            "0 of 1 server in service, 1 critical: c.a, c.b, c.c, c.d and 2 more",
        ),
    ],
)
def test_the_line_names_the_worst_first(servers: list[ServerState], line: str) -> None:
    assert service_line(servers) == line
