"""keepalived itself accepts the example configuration, and rejects it once it is broken."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.programs import find

FOLDER = Path(__file__).parents[2] / "keepalived"
EXAMPLE = FOLDER / "keepalived.conf.example"
CONFIG_ERROR = 5  # keepalived's KEEPALIVED_EXIT_CONFIG
SCRIPT_LIMIT_SECONDS = 8  # LDAPHEALTH_SECONDS of ldaphealth-check, when not set
LOG_AND_KILL_SECONDS = 3


def ignore_sigterm() -> None:
    """Avoid a defect: with another user, `keepalived --config-test` of root ends itself.

    Seen in 2.2.7: it dies of its own SIGTERM, after a test that went well.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def config_test(path: Path, text: str) -> tuple[int, str]:
    """Return the exit status of keepalived's own test of a configuration, and its output.

    The script's user is one that every machine has; a script need not exist for this test.
    """
    keepalived = find("keepalived", "keepalived")
    user = pwd.getpwuid(os.getuid()).pw_name if os.getuid() else "nobody"
    assert text.count("script_user ldaphealth\n") == 1
    path.write_text(text.replace("script_user ldaphealth\n", f"script_user {user}\n"))
    done = subprocess.run(
        [keepalived, "--config-test", "--use-file", path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        preexec_fn=ignore_sigterm,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("example", sorted(FOLDER.glob("*.example")), ids=lambda path: path.name)
def test_keepalived_accepts_the_example(tmp_path: Path, example: Path) -> None:
    # A vrrp_script must be there for this test; a MISC_CHECK's need not.
    text = example.read_text().replace("/usr/local/libexec/ldaphealth-fit", "/bin/true")

    assert config_test(tmp_path / "keepalived.conf", text) == (0, "")


def test_the_examples_avoid_what_keepalived_gets_wrong() -> None:
    """Each of these fails in keepalived 2.2.7; the examples describe how."""
    text = (FOLDER / "file-check.conf.example").read_text()
    settings = "\n".join(line.partition("#")[0] for line in text.splitlines())

    assert "reverse" not in settings
    assert "dynamic" not in settings
    assert re.findall(r"real_server [^{]*{\s*weight (\d+)", settings) == ["100", "100"]
    assert "sorry_server" not in settings


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(
            lambda text: text.replace("misc_timeout 12", "misc_timeut 12", 1), id="misspelt"
        ),
        pytest.param(lambda text: text.replace("lb_kind DR", "", 1), id="without its method"),
        pytest.param(lambda text: text.rstrip().removesuffix("}"), id="cut short"),
    ],
)
def test_keepalived_rejects_the_example_when_it_is(
    tmp_path: Path, broken: Callable[[str], str]
) -> None:
    status, output = config_test(tmp_path / "keepalived.conf", broken(EXAMPLE.read_text()))

    assert status == CONFIG_ERROR, output


def test_misc_timeout_leaves_the_script_time_to_give_up_by_itself() -> None:
    timeouts = re.findall(r"^ *misc_timeout (\d+)$", EXAMPLE.read_text(), re.MULTILINE)

    assert len(timeouts) == 4
    assert min(map(int, timeouts)) >= SCRIPT_LIMIT_SECONDS + LOG_AND_KILL_SECONDS


def test_every_check_that_answers_with_a_weight_says_so_to_keepalived() -> None:
    checks = re.findall(r"MISC_CHECK \{(.*?)\n {8}\}", EXAMPLE.read_text(), re.DOTALL)

    assert len(checks) == 4
    for number, check in enumerate(checks, 1):
        assert f'ldaphealth-check --dynamic example/ldap{number}"' in check
        assert re.search(r"^ *misc_dynamic$", check, re.MULTILINE)
