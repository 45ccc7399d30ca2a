"""The program as people call it: bad input is one clear line and exit status 3."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.certificates import Authority

CSN_A = "20260101000000.000000Z#000000#001#000000"
CSN_B = "20260101000001.500000Z#000000#002#000000"
CONFIG = """\
clusters:
  example:
    suffix: dc=example,dc=com
    servers: {ldap1: "ldap://127.0.0.1:1", ldap2: {uri: "ldap://127.0.0.1:2", weight: 50}}
    checks: {write: {container: "ou=canaries,dc=example,dc=com", agent: lb1}}
"""


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ldaphealth", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "http://h"], "not an LDAP URL"),
        (["check", "ldap://h", "example"], "not both"),
        (["check", "--config", "/nonexistent"], "No such file"),
        (["check", "ldap://h", "--bind-dn", "cn=x"], "must be given together"),
        (["check", "ldap://h", "--deadline", "0"], "not in the range"),
        (["check", "ldap://h", "ldap://i", "--format", "keepalived"], "exactly one"),
        (["check", "ldap://h.invalid"], "cannot resolve h.invalid: "),
        (["check", "ldap://127.0.0.1:1", "ldap://h.invalid"], "cannot resolve h.invalid: "),
        (["workload", "learn", "ldap://h.invalid"], "cannot resolve h.invalid: "),
        (["csn", "parse", "x"], "is not a CSN"),
        (["check", "--config", "/nonexistent"], "give its path with --config"),
        (["statsu"], "No such command 'statsu'; did you mean status?"),
        (["status", "--socket", "/none"], "`systemctl start ldaphealth-agent`"),
        (["check", "--nosuch"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_status_3(arguments: list[str], words: str) -> None:
    status, out, err = run(*arguments)

    assert (status, out, len(err.splitlines())) == (3, "", 1), err
    assert words in err


def test_an_unknown_server_is_answered_with_the_nearest(config: str) -> None:
    status, _, err = run("check", "--config", config, "example/ldap3")

    assert (status, "did you mean example/ldap" in err) == (3, True)


def test_dead_servers_are_out_and_keepalived_gets_the_status_of_one(
    config: str, tmp_path: Path
) -> None:
    status, out, _ = run("check", "--config", config)
    for_one = ("check", "--config", config, "example/ldap2", "--format", "keepalived")
    keepalived = run(*for_one, LDAPHEALTH_SHARED=str(tmp_path))

    assert (status, "0 of 2 servers in service" in out) == (1, True)
    assert keepalived == (1, "1 example/ldap2 out of service: connect.connect\n", "")


def test_the_canary_plan_is_ldif_for_each_server(config: str) -> None:
    status, out, _ = run("canary", "plan", "--config", config, "example")

    assert status == 0
    assert out.count("dn: cn=lb1 example/ldap") == 2
    assert "ou: ldaphealth canary of lb1 for example/ldap1\n" in out


def test_the_canary_plan_has_entries_of_their_own_for_propagation(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    both = 'propagation: {container: "ou=tokens,dc=example,dc=com", agent: lb1}, write'
    consumer = "weight: 50, role: consumer"
    path.write_text(CONFIG.replace("write", both).replace("weight: 50", consumer))
    status, out, _ = run("canary", "plan", "--config", str(path), "example")

    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("dn:")] == [
        "dn: cn=lb1 example/ldap1,ou=canaries,dc=example,dc=com",
        "dn: cn=lb1 example/ldap2,ou=canaries,dc=example,dc=com",
        "dn: cn=lb1 example/ldap1 propagation,ou=tokens,dc=example,dc=com",
    ]
    assert "cn: lb1 example/ldap1 propagation\n" in out
    assert "ou: ldaphealth canary of lb1 for example/ldap1 propagation\n" in out


def test_without_a_check_that_writes_there_is_no_canary_plan(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(CONFIG.partition("    checks:")[0])
    status, _, err = run("canary", "plan", "--config", str(path), "example")

    assert status == 3
    assert "has no check write or propagation; configure one" in err


def test_csn_compare_says_that_the_gap_is_no_lateness() -> None:
    status, out, _ = run("csn", "compare", CSN_A, CSN_B)

    assert status == 0
    assert out.startswith("B is newer")
    assert "not the delay of a server" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["csn", "parse", CSN_A],
        ["check", "--help"],
        ["check", "ldap://127.0.0.1:1", "--deadline", "0.2", "--format", "keepalived"],
    ],
)
def test_light_commands_load_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import os, sys\nos._exit = sys.exit  # else nothing follows the command\n"
        f"from ldaphealth.__main__ import main\nsys.argv = ['ldaphealth', *{arguments}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert 'click' in sys.modules\n"
        "heavy = {'email', 'ldap3', 'prometheus_client', 'rich', 'statistics', 'yaml'}\n"
        "loaded = heavy & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_to_nagios_bad_input_is_unknown_on_standard_output() -> None:
    status, out, _ = run("check", "nowhere|x", "--config", "/nonexistent", "--format", "nagios")

    assert (status, len(out.splitlines())) == (3, 1)
    assert out.startswith("LDAP UNKNOWN - /nonexistent: cannot read it")
    assert "|" not in out


def test_config_check_tells_every_mistake_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ldaphealth.yaml"
    path.write_text("clusters: {c: {sufix: x, servers: {a: 'http://h', b: {wait: 1}}}}")

    status, out, err = run("config", "check", str(path))

    assert (status, out) == (3, "")
    assert [line.partition("clusters.")[2].partition(":")[0] for line in err.splitlines()] == [
        "c.sufix",
        "c.servers.b.wait",
        "c.servers.b.uri",
        "c.servers.a.uri",
    ]


@pytest.mark.parametrize(("wrong", "status"), [(False, 0), (True, 3)])
def test_config_check_answers_programs(config: str, wrong: bool, status: int) -> None:
    if wrong:
        Path(config).write_text("clusters: {}")

    found, out, _ = run("config", "check", config, "--format", "json")

    document = json.loads(out)
    assert (found, bool(document["problems"]), "example" in document["clusters"]) == (
        status,
        wrong,
        not wrong,
    )


@pytest.mark.parametrize(
    ("days", "warning"),
    [
        (300, ""),
        (22, ""),
        (20.5, "expires in 20 days"),
        (3.2, "expires in 3 days"),
        (-3.2, "expired 3 days ago"),
    ],
)
def test_config_check_warns_of_a_client_certificate_that_expires(
    days: float, warning: str, tmp_path: Path
) -> None:
    end = datetime.now(UTC) + timedelta(days=days)
    issued = Authority(tmp_path).issue("agent", (), common_name="agent", valid_until=end)
    path = tmp_path / "ldaphealth.yaml"
    tls = {"certificate_file": str(issued.chain), "key_file": str(issued.key)}
    cluster = {"tls": tls, "servers": {"a": "ldaps://127.0.0.1", "b": "ldaps://127.0.0.2"}}
    path.write_text(json.dumps({"clusters": {"c": cluster}}))

    status, _, err = run("config", "check", str(path))
    warnings = json.loads(run("config", "check", str(path), "--format", "json")[1])["warnings"]

    assert status == 0
    assert len(err.splitlines()) == len(warnings) == bool(warning)
    assert all(f"{issued.chain}, or its chain, {warning}" in err for _ in warnings)


def test_config_schema_is_json() -> None:
    status, out, _ = run("config", "schema")

    assert (status, json.loads(out)["title"]) == (0, "ldaphealth.yaml")


def test_canary_plan_answers_programs(config: str) -> None:
    status, out, _ = run("canary", "plan", "--config", config, "example", "--format", "json")

    assert status == 0
    assert len(json.loads(out)) == 2


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ldaphealth che", {"check"}),
        ("ldaphealth check example/", {"example/ldap1", "example/ldap2"}),
        ("ldaphealth canary plan ex", {"example"}),
        ("ldaphealth drain example/ldap2", {"example/ldap2"}),
        ("ldaphealth baseline ex", {"example"}),
        ("ldaphealth history example", {"example", "example/ldap1", "example/ldap2"}),
    ],
)
def test_the_shell_completes(config: str, words: str, offered: set[str]) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("ldaphealth")],
        env=os.environ
        | {
            "_LDAPHEALTH_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "LDAPHEALTH_CONFIG": config,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == offered


def test_verbose_shows_every_finding(config: str) -> None:
    quiet = run("check", "--config", config)[1]
    verbose = run("check", "--config", config, "--verbose")[1]

    assert "connect_seconds" not in quiet
    assert "connect_seconds" in verbose


def test_a_locale_without_a_character_is_no_error(config: str) -> None:
    text = Path(config).read_text().replace("127.0.0.1:1", "127.0.0.1:1", 1)
    Path(config).write_text(text.replace("suffix:", "sufix\u0142:"), encoding="utf-8")

    status, _, err = run("config", "check", config, PYTHONIOENCODING="latin-1", LC_ALL="C")

    assert (status, "Traceback" in err, r"sufix\u0142" in err) == (3, False, True)


@pytest.mark.parametrize(
    ("sink", "expected"), [("text", 0), ("json", 0), ("nagios", 3), ("keepalived", 0)]
)
def test_every_sink_can_print_in_a_locale_without_the_character(
    sink: str, expected: int, tmp_path: Path
) -> None:
    (file := tmp_path / "one.yaml").write_text(
        "clusters: {c: {servers: {a: 'ldap://\u0142.invalid'}}}", encoding="utf-8"
    )
    arguments = ("check", "--config", str(file), "--verbose", "--format", sink)

    status, out, err = run(*arguments, PYTHONIOENCODING="latin-1")

    is_named = sink != "keepalived"  # its line has no sentence
    assert (status, r"\u0142.invalid" in out, err) == (expected, is_named, "")


def test_a_reader_who_went_away_is_no_error() -> None:
    line = f"{sys.executable} -m ldaphealth config schema | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=30, check=False)

    assert done.stderr == b""


def test_a_person_who_waits_sees_how_far_it_is() -> None:
    ours, theirs = pty.openpty()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ldaphealth",
                "check",
                f"ldap://127.0.0.1:{port}",
                "--deadline",
                "2.5",
            ],
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=30,
            check=False,
        )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert "0 of 1 server answered" in shown
    assert b"answered" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "is_warned"),
    [
        pytest.param(["ldap://127.1.2.3:1"], False, id="this host"),
        pytest.param(["ldap://192.0.2.1:1"], True, id="another host"),
        pytest.param(["ldap://192.0.2.1:1", "--start-tls"], False, id="StartTLS"),
        pytest.param(["ldaps://192.0.2.1:1"], False, id="LDAPS"),
    ],
)
def test_a_password_that_goes_in_the_clear_is_warned_of(
    tmp_path: Path, arguments: list[str], *, is_warned: bool
) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret")
    account = ("--bind-dn", "cn=x", "--password-file", str(password))

    _, _, err = run("check", *arguments, *account, "--deadline", "0.3")

    assert ("in the clear: add --start-tls" in err) is is_warned


def test_the_socket_is_that_of_the_configuration_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "ldaphealth.yaml"
    # Its password cannot be read, which is not needed to find the socket.
    file.write_text(
        f"agent: {{runtime_directory: {tmp_path}/run}}\n"
        "credentials: {probe: {dn: cn=x, password_file: /none}}\n"
        "clusters: {c: {credentials: probe, servers: {s: ldap://127.0.0.1}}}\n"
    )

    status, _, err = run("status", LDAPHEALTH_CONFIG=str(file))
    assert (status, f"there is no {tmp_path}/run/agent.sock" in err) == (3, True)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot read it: No such file or directory"),
        ("clusters:\n\tc: {}\n", "line 2, column 1: a tab stands before it: use spaces"),
        ("agent: {runtime_directory: 3, track_files: 0}", "clusters: is missing (and 2 more)"),
    ],
)
@pytest.mark.parametrize(
    "command", ["status", "history", "explain c/s", "undrain c/s", "drain c/s --for 1h --reason x"]
)
def test_a_broken_configuration_does_not_hide_that_its_agent_may_run(
    tmp_path: Path, content: str | None, problem: str, command: str
) -> None:
    file = tmp_path / "ldaphealth.yaml"
    if content is not None:
        file.write_text(content)

    status, out, err = run(*command.split(), LDAPHEALTH_CONFIG=str(file))

    assert (status, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"ldaphealth: {file}: ")
    assert problem in err
    assert "its agent may run, but its socket is not known" in err
    assert "name the socket with --socket" in err


@pytest.mark.parametrize(
    "command", [["status"], ["explain", "c/s"], ["history"], ["undrain", "c/s"], ["baseline", "c"]]
)
def test_the_socket_is_that_of_the_configuration_that_is_named(
    command: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "ldaphealth.yaml"
    file.write_text(
        f"agent: {{runtime_directory: {tmp_path}/run}}\n"
        "clusters: {c: {servers: {s: ldap://127.0.0.1}}}\n"
    )

    status, _, err = run(*command, "--config", str(file), LDAPHEALTH_CONFIG="/other")
    assert (status, f"there is no {tmp_path}/run/agent.sock" in err) == (3, True), err
    status, _, err = run(*command, "--config", str(file), "--socket", "/else")
    assert (status, "there is no /else" in err) == (3, True), err
    status, _, err = run(*command, "--config", f"{tmp_path}/none")
    assert (status, err.startswith(f"ldaphealth: {tmp_path}/none: ")) == (3, True), err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["config", "schema"],
        ["reasons", "--format", "json"],
        ["csn", "parse", CSN_A],
        ["check", "ldap://127.0.0.1:1"],
        ["check", "ldap://127.0.0.1:1", "--format", "json"],
        ["check", "ldap://127.0.0.1:1", "--format", "nagios"],
    ],
)
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ldaphealth", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )

    assert done.returncode == 3
    assert done.stderr == "ldaphealth: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(
    ("closed", "status", "out", "err"),
    [
        ("", 0, CSN_A, ""),
        ("<&-", 0, CSN_A, ""),
        ("2>&-", 0, CSN_A, ""),
        (">&-", 3, "", "ldaphealth: cannot write the output: it is closed\n"),
        ("<&- >&-", 3, "", "ldaphealth: cannot write the output: it is closed\n"),
        ("<&- >&- 2>&-", 3, "", ""),
    ],
)
def test_streams_that_the_caller_closed(closed: str, status: int, out: str, err: str) -> None:
    command = [sys.executable, "-m", "ldaphealth", "csn", "parse", CSN_A, "--format", "json"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (status, err)
    assert out in done.stdout
    assert bool(done.stdout) is bool(out)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["status"], ["check", "ldap://127.0.0.1:1"], ["doctor"], ["config", "schema"]],
)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_traceback(arguments: list[str], closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "ldaphealth", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == (3 if closed != "2>&-" else run(*arguments)[0])


def test_the_file_may_be_an_option(config: str) -> None:
    assert run("config", "check", "--config", config) == run("config", "check", config)
    assert run("config", "check", config, "--config", "/other")[0] == 3
