"""The man pages say what --help and docs/configuration.md say, and the readers accept them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ldaphealth.cli.check_ldaphealth import check_ldaphealth_command
from ldaphealth.cli.commands import COMMANDS, cli

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "man").glob("man?/*"))


def output(*command: str | Path) -> str:
    """Return what a program printed, whatever its exit status."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False
    )
    return done.stdout.decode()


def shown(page: Path) -> str:
    """Return a page as text of one line."""
    printed = output("mandoc", "-Tascii", "-O", "width=1000", page)
    return re.sub(r"\s+", " ", re.sub(".\b", "", printed))  # bold is a letter over the same one


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def test_the_pages_are_up_to_date() -> None:
    script = ROOT / "scripts" / "man_pages.py"
    done = subprocess.run([sys.executable, script, "--check"], timeout=60, check=False)

    assert done.returncode == 0, "run `make docs`"


def test_every_program_and_command_and_the_file_have_a_page() -> None:
    commands = {f"ldaphealth-{name}.1" for name in COMMANDS}

    assert commands | {"ldaphealth.1", "check_ldaphealth.1", "ldaphealth.yaml.5"} <= {
        page.name for page in PAGES
    }


@needs("mandoc")
def test_mandoc_finds_nothing_to_correct() -> None:
    assert output("mandoc", "-Tlint", "-W", "base", *PAGES) == ""


@needs("man")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_groff_warns_of_nothing(page: Path) -> None:
    done = subprocess.run(
        ["man", "--warnings", "-l", page], capture_output=True, timeout=60, check=True
    )

    assert done.stderr == b""


@needs("lexgrog")
def test_apropos_finds_every_page_by_its_name() -> None:
    lines = output("lexgrog", *PAGES).splitlines()

    assert [line.split('"')[1].partition(" - ")[0] for line in lines] == [
        page.name.rpartition(".")[0] for page in PAGES
    ]


@needs("mandoc")
@pytest.mark.parametrize(
    ("page", "command"),
    [("ldaphealth-check", cli.get_command(click.Context(cli), "check")),
     ("check_ldaphealth", check_ldaphealth_command)],
)  # fmt: skip
def test_a_page_has_every_option_as_help_has_it(page: str, command: click.Command) -> None:
    ctx = click.Context(command)
    records = [each.get_help_record(ctx) for each in command.params]
    text = shown(ROOT / "man" / "man1" / f"{page}.1")

    missing = [
        part
        for record in records
        if record
        for part in record
        if " ".join(part.split()) not in text
    ]
    assert missing == []


@needs("mandoc")
def test_the_page_of_the_file_has_every_key() -> None:
    document = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE))
    text = shown(ROOT / "man" / "man5" / "ldaphealth.yaml.5")

    assert len(keys) > 50
    assert {key for key in keys if key not in text} == set()
