"""`ldaphealth config`: tells whether the configuration file is right, and what it may hold."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ldaphealth.cli.options import CONFIG_FILE, as_format


@click.group("config")
def config_command() -> None:
    """Work on the configuration file."""


@config_command.command("check")
@click.argument(
    "file", type=click.Path(path_type=Path), envvar="LDAPHEALTH_CONFIG", default=CONFIG_FILE
)
@as_format
def config_check_command(file: Path, form: str) -> None:
    """Tell all that is wrong with FILE at once.

    Each mistake is told with its place; exit status 3 if there is any.

    \b
    Without FILE: $LDAPHEALTH_CONFIG, or /etc/ldaphealth/ldaphealth.yaml.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.config_check import check_file, check_file_as_json

    if form == "json":
        check_file_as_json(file)
    else:
        check_file(file)


@config_command.command("schema")
def config_schema_command() -> None:
    """Print the JSON Schema of the file.

    Editors complete and check the file with it.

    \b
    For the YAML language server, as the first line of the file:
      # yaml-language-server: $schema=/path/to/ldaphealth.schema.json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.checks import BUILT_IN
    from ldaphealth.config.json_schema import schema

    click.echo(json.dumps(schema(BUILT_IN.values()), indent=2))
