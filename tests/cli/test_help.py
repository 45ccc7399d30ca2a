"""Every option has a help text, and the lists of commands show whole sentences."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from ldaphealth.cli.check_ldaphealth import check_ldaphealth_command
from ldaphealth.cli.commands import cli
from ldaphealth.cli.option_types import DurationText
from ldaphealth.cli.options import READ_PATH
from tests.cli.test_main import run


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Return it and all below it, by what one types."""
    yield name, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for word in command.list_commands(context):
                below = command.get_command(context, word)
                assert below is not None
                yield from commands(below, f"{name} {word}")


def names(command: click.Command) -> set[str | None]:
    return {each.name for each in command.params}


ALL = dict([*commands(cli, "ldaphealth"), ("check_ldaphealth", check_ldaphealth_command)])


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_explained(name: str) -> None:
    options = [each for each in ALL[name].params if isinstance(each, click.Option)]

    assert [each.name for each in options if not (each.help or each.hidden)] == []


@pytest.mark.parametrize("name", ALL)
def test_the_help_fits_in_80_columns_and_has_no_formula(name: str) -> None:
    shown = CliRunner().invoke(ALL[name], ["--help"], prog_name=name, terminal_width=80)

    assert shown.exit_code in (0, 3)  # of the plugin, 3
    assert [line for line in shown.output.splitlines() if len(line) > 80] == []
    assert "x<=" not in shown.output


@pytest.mark.parametrize(
    "name", [name for name, each in ALL.items() if not isinstance(each, click.Group)]
)
def test_the_help_of_a_command_has_its_exit_status_and_an_example(name: str) -> None:
    shown = CliRunner().invoke(ALL[name], ["--help"], prog_name=name, terminal_width=80)

    assert "Exit status" in shown.output
    assert "Example" in shown.output


@pytest.mark.parametrize("name", ALL)
def test_every_time_has_one_form(name: str) -> None:
    """Those of the plugin are as the guidelines for plugins have them."""
    times = [each for each in ALL[name].params if isinstance(each.type, DurationText)]

    assert {each.metavar for each in times} <= {"DURATION"}
    if name != "check_ldaphealth":
        assert [each.name for each in ALL[name].params if each.metavar == "SECONDS"] == []


@pytest.mark.parametrize("name", ALL)
def test_files_are_read_by_code_that_says_who_may_read_them(name: str) -> None:
    read = {"config_file", "password_file", "keepalived", "socket"}
    files = [each for each in ALL[name].params if each.name in read]

    assert [each.name for each in files if each.type is not READ_PATH] == []
    completed = [each.shell_complete(click.Context(ALL[name]), "/e") for each in files]
    assert {item.type for items in completed for item in items} <= {"file"}


def test_every_command_that_finds_the_agent_has_its_configuration() -> None:
    finding = {name: each for name, each in ALL.items() if "socket" in names(each)}

    assert len(finding) == 15
    assert [name for name, each in finding.items() if "config_file" not in names(each)] == []


@pytest.mark.parametrize("name", ALL)
def test_no_sentence_is_cut_short(name: str) -> None:
    shown = CliRunner().invoke(ALL[name], ["--help"], prog_name=name, terminal_width=80)

    listed = shown.output.partition("Commands:")[2].splitlines()

    assert [line for line in listed if line.endswith("...")] == []


@pytest.mark.parametrize("group", [n for n, each in ALL.items() if isinstance(each, click.Group)])
def test_a_group_alone_shows_its_help_and_complains_of_nothing(group: str) -> None:
    status, out, err = run(*group.split()[1:])

    assert (status, out) == (3, "")
    assert err.startswith(f"Usage: {group.replace('ldaphealth', 'python -m ldaphealth', 1)} ")
    assert "see " not in err
