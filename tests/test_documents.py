"""What the documents say is true of the program: files that load, options and links that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from ldaphealth.cli.check_ldaphealth import check_ldaphealth_command
from ldaphealth.cli.commands import COMMANDS, cli
from tests.e2e import tutorial

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ldaphealth"
PLACEHOLDER = "tests/checks/test_NAME.py"
PAGES = sorted(
    path.relative_to(ROOT)
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("keepalived/*.md")]
)
NAME = re.compile(r"[a-z-]+")
GROUPS = ("config", "canary", "csn", "content", "workload", "generate", "incident")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
NAMES = "|".join(sorted(COMMANDS, key=len, reverse=True))
COMMAND = re.compile(rf"(?:^|[`/ ])ldaphealth ((?:{NAMES})\b[^`\n|]*)", re.MULTILINE)
PLUGIN = re.compile(r"(?:^|[`/ ])check_ldaphealth( -[^`\n|]*)", re.MULTILINE)
OPTION = re.compile(r"(?<= )--?[A-Za-z][a-z-]*")
CONFIGURED = re.compile(r"/etc/ldaphealth/([\w.-]+)")


def documents() -> Iterator[tuple[str, str]]:
    yield from ((str(page), (ROOT / page).read_text(encoding="utf-8")) for page in PAGES)


def commands() -> list[str]:
    return sorted({found.strip() for _, text in documents() for found in COMMAND.findall(text)})


def plugin_commands() -> list[str]:
    return sorted({found for _, text in documents() for found in PLUGIN.findall(text)})


def yaml_blocks() -> list[str]:
    return [
        block
        for page, text in documents()
        if page
        != "docs/write-a-check.md"  # tests/test_write_a_check.py has the check that it needs
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        if "clusters:" in block
    ] + [(ROOT / "examples" / "ldaphealth.yaml").read_text()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall((ROOT / page).read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("command", commands())
def test_every_command_has_the_options_that_are_shown(command: str) -> None:
    words = [word for word in command.split("#", maxsplit=1)[0].split() if not word.startswith("[")]
    names = [word for word in words[:2] if NAME.fullmatch(word)]
    group = names if names[0] in GROUPS else names[:1]
    helped = CliRunner().invoke(cli, [*group, "--help"])

    assert helped.exit_code == 0, command
    assert [w for w in words if w.startswith("--") and w not in helped.output] == []
    formats = [after for word, after in pairwise(words) if word == "--format"]
    choices = re.search(r"--format\s+\[([^\]]+)\]", helped.output)
    assert [f for f in formats if not choices or f not in re.split(r"[|\s]+", choices[1])] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.findall(r"^ {4,}(?:\$ )?ldaphealth ([a-z-]+)", text, re.MULTILINE)

    assert set(shown) - set(COMMANDS) == set()


@pytest.mark.parametrize("command", plugin_commands())
def test_every_command_of_the_plugin_has_the_options_that_are_shown(command: str) -> None:
    known = {name for each in check_ldaphealth_command.params for name in each.opts}
    without_texts = re.sub(r"'[^']*'", "TEXT", command.split("#", maxsplit=1)[0])

    assert set(OPTION.findall(without_texts)) - known == set()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with ca.pem, a certificate with its key in all other names of files."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    both = authority.issue_cert("ldaphealth").private_key_and_cert_chain_pem
    for name in ("client.pem", "client.key", "http.pem"):
        both.write_to_path(str(directory / name))
    return directory


@pytest.mark.parametrize("block", yaml_blocks())
def test_every_configuration_is_accepted(
    block: str, tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `ldaphealth config check`, with files in place of those below /etc/ldaphealth."""
    for name in CONFIGURED.findall(block):
        made = certificates / name
        (tmp_path / name).write_bytes(made.read_bytes() if made.exists() else b"secret")
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(block.replace("/etc/ldaphealth/", f"{tmp_path}/"))
    monkeypatch.setenv("LDAP_PASSWORD", "secret")

    checked = CliRunner().invoke(cli, ["config", "check", str(path)])

    assert checked.exit_code == 0, checked.output


def test_the_tutorial_has_ten_commands_that_can_be_pasted() -> None:
    """tests/e2e/test_tutorial.py runs them; here it is enough that none has a prompt."""
    lines = [line for _, line in tutorial.commands()]

    assert 5 < len(lines) <= 10
    assert [each for each in lines if re.match(r"\S*[#$] ", each)] == []
    names = {host for hosts, _ in tutorial.commands() for host in hosts}
    assert names == set(tutorial.BALANCERS)
    text = tutorial.TUTORIAL.read_text(encoding="utf-8")
    indented = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert set(indented) <= {part for line in lines for part in line.split("\n")}


def test_the_numbers_of_sensitivity_are_those_that_were_measured() -> None:
    """The rows of the explanation have the percentages of the totals in evidence.md."""
    percent = re.compile(r"\d+\.\d%")
    explained = (ROOT / "docs" / "explanation" / "sensitivity.md").read_text(encoding="utf-8")
    evidence = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    totals = evidence.partition("\n## Totals")[2].partition("\n## ")[0]
    shown = [percent.findall(line) for line in explained.splitlines() if line.startswith("| ")]

    assert [each for each in shown if each] == [
        found for line in totals.splitlines() if (found := percent.findall(line))
    ]


def test_the_site_lists_every_page_once() -> None:
    """In a toctree of docs/index.md; `make site` fails otherwise."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL))
    lines = [line for line in blocks.splitlines() if line and not line.startswith(":")]
    listed = [re.sub(r".*<(.+)>", r"\1", line) for line in lines]
    pages = {page.with_suffix("") for page in PAGES} - {Path("docs/index")}

    assert sorted(Path("docs", name) if name[0] != "/" else Path(name[1:]) for name in listed) == (
        sorted(pages)
    )


def test_the_reference_of_the_configuration_is_up_to_date() -> None:
    script = ROOT / "scripts" / "configuration_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], timeout=60, check=False)

    assert done.returncode == 0, "run `make docs`"


def test_the_architecture_names_every_module() -> None:
    """In the first column of its table, each once."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("\n## Folders\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w/]+(?:\.py|/))` \|", table, re.MULTILINE)
    modules = {path.name for path in PACKAGE.glob("*.py")} | {
        f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")
    }

    assert sorted(rows) == sorted(modules - {"__init__.py"})


def missing_files(text: str) -> set[str]:
    """Return the Python files that a document names and that do not exist.

    A name is a path from the root of the repository or in the package, or that of a file alone.
    """
    there = [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    names = {path.name for path in there}
    return {
        named
        for named in re.findall(r"`([\w/]+\.py)`", text)
        if named not in names and not any((top / named).is_file() for top in (ROOT, PACKAGE))
    } - {PLACEHOLDER}


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head and lines for groups."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    lines = re.findall(r"^\| (.+) \|$", text.partition("\n## ")[0], re.MULTILINE)
    return [cells for line in lines[1:] if (cells := line.split(" | ")) and "**" not in cells[0]]


@pytest.mark.parametrize("row", rows("security.md", "Threats"), ids=lambda row: row[0][:40])
def test_every_threat_names_the_tests_that_show_what_prevents_it(row: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[-1])

    assert named
    assert [each for each in named if not re.fullmatch(r"tests/[\w/]*test_\w+\.py", each)] == []
    assert [each for each in named if not (ROOT / each).is_file()] == []


@pytest.mark.parametrize(
    "row", rows("security.md", "Attacks that were tried"), ids=lambda r: r[0][:40]
)
def test_every_attack_that_was_tried_can_be_repeated(row: list[str]) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    kind, _, name = row[-1].strip("`").partition(" ")

    assert kind == "make"
    assert name in targets


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_is_named_exists(page: Path) -> None:
    assert missing_files((ROOT / page).read_text(encoding="utf-8")) == set()


def test_the_test_above_would_see_a_file_that_was_moved() -> None:
    text = "`web/door.py`, `web/app.py`, `door.py`, `app.py` and `demo/cluster.py`"

    assert missing_files(text) == {"web/door.py", "door.py"}
