"""A valid file gives clusters; a wrong one gives a message for each mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from ldaphealth.check import AnyCheck, CheckedCluster
from ldaphealth.checks import find
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.config import ConfigError, load
from ldaphealth.config.yaml_file import MAX_DEPTH, read_yaml
from ldaphealth.judging.thresholds import Range
from ldaphealth.model import BindMethod, CheckEffect, Server
from ldaphealth.settings import AgentSettings, HaproxySettings

RIGHT = """\
credentials:
  probe: {method: simple, dn: "cn=x", password_file: PASSWORD_FILE}
clusters:
  example:
    suffix: dc=example,dc=com
    credentials: probe
    servers:
      ldap1: ldap://127.0.0.1:1
      ldap2: {uri: "ldap://127.0.0.1:2", weight: 50, role: consumer}
      ldap3: ldaps://ldap3.example.com
    checks:
      search: {scope: one, entries: {critical: 1:30}, effect: weight}
      monitor: off
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(RIGHT.replace("PASSWORD_FILE", str(password)))
    return path


def test_a_right_file_becomes_a_cluster(written: Path) -> None:
    cluster = load(written).clusters["example"]
    search = {planned.check.name: planned for planned in cluster.checks}["search"]

    assert [planned.check.name for planned in cluster.checks] == [
        "connect",
        "bind",
        "certificate",
        "search",
        "replication",
        "consumer",
        "entry_count",
        "resources",
        "latency",
        "unbind",
        "session",
        "forecast",
    ]
    assert isinstance(search.params, SearchParams)
    assert search.params.entries.critical == Range(1, 30)  # in YAML 1.1 it would be 90
    assert search.effect is CheckEffect.WEIGHT
    assert [(s.weight, s.role.value) for s in cluster.servers[:2]] == [
        (100, "provider"),
        (50, "consumer"),
    ]
    assert cluster.servers[0].credentials.method is BindMethod.SIMPLE
    assert cluster.min_in_service == 2
    assert "secret" not in repr(cluster)


@pytest.mark.parametrize(
    ("of_cluster", "of_server", "expected"),
    [
        ("", "", [True, True, True]),
        ("pipeline: false", "", [False, False, False]),
        ("", "pipeline: false", [True, False, True]),
        ("pipeline: false", "pipeline: true", [False, True, False]),
    ],
)
def test_a_server_pipelines_as_it_says_or_else_as_its_cluster_says(
    written: Path, of_cluster: str, of_server: str, expected: list[bool]
) -> None:
    text = written.read_text()
    text = text.replace("    suffix:", f"    {of_cluster}\n    suffix:")
    text = text.replace("weight: 50", f"weight: 50, {of_server}" if of_server else "weight: 50")
    written.write_text(text)

    servers = load(written).clusters["example"].servers

    assert [each.pipeline for each in servers] == expected


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("suffix", "sufix", "clusters.example.sufix: unknown key; did you mean suffix?"),
        (
            "weight: 50",
            "weight: 254",
            "example.servers.ldap2.weight: must be a whole number <= 253",
        ),
        ("weight: 50", "wait: 5", "servers.ldap2.wait: unknown key; did you mean weight?"),
        ("ldap://127.0.0.1:1\n", "http://h\n", "servers.ldap1.uri: 'http://h' is not an LDAP URL"),
        (
            "ldap://127.0.0.1:1\n",
            "ldapi://%2Fetc\n",
            "servers.ldap1.uri: /etc is not a Unix socket",
        ),
        ("ldap://127.0.0.1:1\n", "ldap://224.0.0.1\n", "224.0.0.1 is not the address of one host"),
        (
            "credentials: probe",
            "credentials: prob",
            "not under credentials; did you mean probe?",
        ),
        ("scope: one", "scope: two", "checks.search.scope: must be one of base, one, sub"),
        ("scope: one", "scop: one", "checks.search.scop: unknown key; did you mean scope?"),
        ("scope: one", "size_limit: 9999", "checks.search: size_limit is a number of entries"),
        ("1:30", "30:1", "checks.search.entries.critical: '30:1' is not a range"),
        ("1:30", "true", "critical: must be a range: a number, or"),
        ("monitor: off", "bind: off", "checks.bind: this step of a session"),
        ("monitor: off", "montor: off\n      nosuch: {}", "no check is named 'nosuch'"),
        ("monitor: off", "write: {}", "checks.write.container: is missing"),
        (
            "role: consumer",
            "role: slave",
            "servers.ldap2.role: must be one of provider, consumer, balancer",
        ),
        ("suffix:", "deadline_seconds: 0\n    suffix:", "deadline_seconds: must be a number > 0.0"),
        (
            "suffix:",
            "second_look_seconds: 9\n    suffix:",
            "look_seconds: must be at most 3",
        ),
        (
            "monitor: off",
            "replication: {behind_second_look: {critical: 2}}",
            "checks.replication.behind_second_look: must alert on less than 1 s",
        ),
        (
            "monitor: off",
            "replication: {behind: {critical: '10:'}}",
            "checks.replication: behind alerts on 0 s, that is on a server that lacks nothing",
        ),
        (
            "monitor: off",
            "replication: {base: dc=a, bases: [dc=a, dc=b]}",
            "checks.replication: base and bases exclude each other",
        ),
        (
            "monitor: off",
            "replication: {bases: [dc=a, dc=a]}",
            "checks.replication: bases has the same naming context twice",
        ),
        (
            "monitor: off",
            "replication: {reference: 'server:ldap4x'}",
            "checks.replication.reference: the cluster has no server 'ldap4x'; did you mean ldap",
        ),
        (
            "monitor: off",
            "replication: {retired_server_ids: [001, 4096]}",
            "checks.replication.retired_server_ids.2: '4096' is not a server ID",
        ),
        (
            "monitor: off",
            "content: {cover_hours: 1, retired_server_ids: [1.5]}",
            "checks.content.retired_server_ids.1: must be a server ID, such as 00a, not 1.5",
        ),
        ("weight: 50", "weight: 050", "ldap2.weight: line 9: 050 begins with a zero, as octal"),
        ("1:30", "010", "search.entries.critical: line 12: 010 begins with a zero"),
        ("scope: one", "size_limit: 08", "search.size_limit: line 12: 08 begins with a zero"),
        ("scope: one", "seconds: {warning: 00.5}", "warning: line 12: 00.5 begins with a zero"),
        ("ldap2:", "02:", "clusters.example.servers.02: line 9: 02 begins with a zero"),
        ("dc=example,dc=com", "007", "example.suffix: line 5: 007 begins with a zero"),
        (
            "1:30",
            "1:300",
            "entries.critical: 1:300 has an upper bound that is never exceeded: what is measured",
        ),
        (
            "scope: one",
            "seconds: {critical: 9}",
            "seconds.critical: 9 can never alert: what is measured is more than 0, at most 5 (dead",
        ),
        ("scope: one", "seconds: {warning: 3, critical: 1}", "warning: 3 only alerts where crit"),
        (
            "dc=example,dc=com",
            "example.com",
            "example.suffix: 'example.com' is not a DN (RFC 4514)",
        ),
        ("weight: 50", "bases: [dc=a, b]", "servers.ldap2.bases.2: 'b' is not a DN (RFC 4514)"),
        ("monitor: off", "content: {cover_hours: 1, base: b}", "checks.content.base: 'b' is not a"),
        ('dn: "cn=x"', "dn: x", "credentials.probe.dn: 'x' is not a DN"),
        ("scope: one", "base: example", "checks.search.base: 'example' is not a DN"),
        ("scope: one", "base: 7", "checks.search.base: must be a DN, not 7"),
        ("scope: one", "filter: (uid=u1", "search.filter: '(uid=u1' is not a filter (RFC 4515)"),
        ("scope: one", "filter: ''", "checks.search.filter: '' is not a filter"),
        (
            "scope: one",
            "attribute: full name",
            "search.attribute: 'full name' is not the name of an",
        ),
        ("monitor: off", "replication: {bases: [dc=a, b]}", "replication.bases.2: 'b' is not a DN"),
        ("monitor: off", "write: {container: ou}", "checks.write.container: 'ou' is not a DN"),
        (
            "monitor: off",
            "write: {container: ''}",
            "checks.write: container is empty; it is the DN",
        ),
        (
            "monitor: off",
            "propagation: {container: dc=a, base: a}",
            "checks.propagation.base: 'a' is not a DN",
        ),
        ("monitor: off", "propagation: {container: ''}", "propagation: container is empty"),
        (
            "monitor: off",
            "compare: {dn: dc=a, attribute: dc, value: ''}",
            "checks.compare: attribute and value must not be empty",
        ),
        ("suffix:", "min_in_service: 4\n    suffix:", "min_in_service: must be at most 3"),
        (
            "suffix:",
            "tls: {key_file: /x}\n    suffix:",
            "example.tls.key_file: needs certificate_f",
        ),
        (
            "weight: 50",
            "tls: {ciphers: nosuch}",
            "servers.ldap2.tls: cannot load the settings of TLS",
        ),
        ("weight: 50", "tls: {min_version: SSLv3}", "servers.ldap2.tls.min_version"),
        ("weight: 50", "tls: {key_file: /x}", "servers.ldap2.tls.key_file: needs certificate_file"),
        ("weight: 50", "tls: {ca_file: /x}", "servers.ldap2.tls: cannot load the TLS files /x"),
        ("method: simple", "method: external", "probe: method external takes no dn and no passw"),
        ('dn: "cn=x", ', "", "credentials.probe.dn: is missing; method simple needs a DN"),
        (
            "password_file:",
            "password_env: X, password_file:",
            "probe: needs one of password_file and",
        ),
        ("cred", "agent: {state_directory: x}\ncred", "state_directory: must be an absolute path"),
        (
            "cred",
            "agent: {history: {minute_points_days: 61}}\ncred",
            "agent.history.minute_points_days: must not be more than hour_points_days",
        ),
        (
            "cred",
            "agent: {history_days: 9}\ncred",
            "history_days: is now `history: {changes_days: N}`",
        ),
        ("cred", "agent: {threads: 64}\ncred", "agent.threads: is not needed any more: remove it"),
        ("monitor: off", 'replication: {retired_server_ids: ["1000"]}', "is not a server ID"),
        ("suffix:", "suffix: x\n    suffix:", "line 6: duplicate key 'suffix', first in line 5"),
        ("weight: 50", "weight: !!bool maybe", "line 9: the value is no !!bool; put a text into"),
        ("weight: 50", "weight: !!int x", "line 9: the value is no !!int; put a text into quotes"),
        ("dc=example,dc=com", "2026-99-99", "line 5: the value is no !!timestamp; put a text"),
        ("password_file", "password", "the file must not contain passwords: use password_file"),
        ("method: simple", "method: [", "line 2, column"),
        ("dc=example,dc=com", "[*a, &a x]", "aliases"),
        ("dc=example,dc=com", "[" * 51 + "]" * 51, "line 5: nested too deep"),
        ("dc=example,dc=com", "[" * 500_000, "line 5: nested too deep"),  # a crash of libyaml
    ],
)
def test_a_mistake_is_reported_with_its_place(
    written: Path, old: str, new: str, problem: str
) -> None:
    text = written.read_text()
    assert old in text
    written.write_text(text.replace(old, new, 1))

    with pytest.raises(ConfigError) as caught:
        load(written)

    assert problem in "\n".join(caught.value.problems)


def test_server_ids_are_read_as_they_are_printed(written: Path) -> None:
    ids = "[010, 08, 10, '00a', 0x1F, fff, 1e1]"
    settings = f"replication: {{retired_server_ids: {ids}}}"
    written.write_text(written.read_text().replace("monitor: off", settings))

    checks = load(written).clusters["example"].checks
    (params,) = (each.params for each in checks if each.check.name == "replication")

    assert params.retired_server_ids == (0x010, 0x08, 0x10, 0x00A, 0x1F, 0xFFF, 0x1E1)


def test_numbers_without_a_leading_zero_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("[0, 0.5, -0.5, 10, -10, 1.05, '010', 0:30]")

    assert read_yaml(path) == [0, 0.5, -0.5, 10, -10, 1.05, "010", "0:30"]


@pytest.mark.parametrize("filter_text", ["uid=u1", "'(&)'", "'(|)'", "'( & (a=b) (c=*) )'"])
def test_filters_are_taken_as_by_ldapsearch(written: Path, filter_text: str) -> None:
    text = written.read_text().replace("scope: one", f"filter: {filter_text}")
    written.write_text(text)

    assert load(written).clusters


@pytest.mark.parametrize("name", ["cn=a,dc=b", "agent@example.com", "EXAMPLE\\agent"])
def test_names_to_bind_as_are_taken_as_servers_take_them(written: Path, name: str) -> None:
    written.write_text(written.read_text().replace('dn: "cn=x"', f"dn: '{name}'"))

    assert load(written).clusters["example"].servers[0].credentials.dn == name


def test_all_mistakes_are_reported_at_once(written: Path) -> None:
    text = written.read_text().replace("prob", "pro", 2).replace("scope: one", "scope: two")
    written.write_text(text.replace("127.0.0.1:1", "127.0.0.1:0"))

    with pytest.raises(ConfigError) as caught:
        load(written)

    assert len(caught.value.problems) >= 2


def test_a_reference_is_not_missed_where_its_server_is_wrong(written: Path) -> None:
    text = written.read_text().replace("monitor: off", "replication: {reference: 'server:ldap2'}")
    written.write_text(text.replace('uri: "ldap://127.0.0.1:2", ', ""))

    with pytest.raises(ConfigError) as caught:
        load(written)

    assert caught.value.problems == ["clusters.example.servers.ldap2.uri: is missing"]


def test_a_check_compares_its_settings_with_the_cluster(written: Path) -> None:
    def refuse(cluster: CheckedCluster, params: SearchParams) -> Iterator[tuple[str, str]]:
        yield "scope", f"{params.scope} is not for {len(cluster.servers)} servers"
        yield "", f"no search within {cluster.deadline_seconds:g} s"

    def finder(name: str) -> AnyCheck:
        found = find(name)
        return replace(found, validate=refuse) if name == "search" else found

    with pytest.raises(ConfigError) as caught:
        load(written, finder)

    assert caught.value.problems == [
        "clusters.example.checks.search.scope: one is not for 3 servers",
        "clusters.example.checks.search: no search within 5 s",
    ]


def test_what_the_file_does_not_say_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("clusters: {c: {servers: {a: ldap://127.0.0.1:1}}}\nagent: {haproxy: {}}")

    settings = load(path)

    assert settings.agent == AgentSettings(haproxy=HaproxySettings())
    assert str(settings.agent.runtime_directory) == "/run/ldaphealth"
    assert settings.clusters["c"].servers == (
        Server(cluster="c", name="a", uri="ldap://127.0.0.1:1"),
    )


@pytest.mark.parametrize("mode", [0o644, 0o620])
def test_a_password_that_others_can_reach_is_refused(written: Path, mode: int) -> None:
    (written.parent / "password").chmod(mode)

    with pytest.raises(ConfigError, match="chmod 0600"):
        load(written)


def test_as_deep_as_is_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("[" * MAX_DEPTH + "]" * MAX_DEPTH)

    found = read_yaml(path)

    for _ in range(MAX_DEPTH - 1):
        assert isinstance(found, list)
        (found,) = found
    assert found == []


@pytest.mark.parametrize("content", ["", "[]", "x", "clusters: {}", "\0", "a: " * 5000])
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "f"
    path.write_text(content)

    with pytest.raises(ConfigError):
        load(path)


@pytest.mark.parametrize(
    "content",
    ["", "# nothing\n", "[]", "root:$y$j9T$Jx:19000:0:\nann:$6$Zz:1:2:\n", "root: $y$j9T$Jx\n"],
)
def test_a_file_of_another_kind_is_named_without_its_content(tmp_path: Path, content: str) -> None:
    (file := tmp_path / "x").write_text(content)
    with pytest.raises(ConfigError) as raised:
        load(file)

    (line,) = raised.value.problems
    assert "this is no configuration of ldaphealth" in line
    assert "`ldaphealth discover LDAP-URL` writes one" in line
    assert "$" not in line


def test_a_typing_mistake_in_the_only_key_is_no_other_kind_of_file(tmp_path: Path) -> None:
    (file := tmp_path / "x").write_text("cluster: {c: {servers: {s: ldap://h}}}")
    with pytest.raises(ConfigError, match="cluster: unknown key; did you mean clusters"):
        load(file)


def test_keys_of_an_earlier_version_are_refused_with_those_of_today(tmp_path: Path) -> None:
    (file := tmp_path / "x").write_text(
        "clusters: {c: {servers: {s: ldap://h}}}\nagent: {history_days: 3, history_megabytes: 9}"
    )
    with pytest.raises(ConfigError) as raised:
        load(file)

    days, size = raised.value.problems
    assert days.startswith("agent.history_days: is now `history: {changes_days: N}`")
    assert size == "agent.history_megabytes: is now `history: {megabytes: N}`"
