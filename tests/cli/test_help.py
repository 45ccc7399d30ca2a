"""Every option has a help text, and the lists of commands show whole sentences."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from ldaphealth.cli.check_ldaphealth import check_ldaphealth_command
from ldaphealth.cli.commands import cli
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


ALL = dict([*commands(cli, "ldaphealth"), ("check_ldaphealth", check_ldaphealth_command)])


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_explained(name: str) -> None:
    options = [each for each in ALL[name].params if isinstance(each, click.Option)]

    assert [each.name for each in options if not (each.help or each.hidden)] == []


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
