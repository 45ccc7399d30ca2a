"""`ldaphealth config`: check the configuration file, and print its schema."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.core import ParameterSource

from ldaphealth.cli.options import READ_PATH, config_option, format_option


@click.group("config")
def config_command() -> None:
    """Check the configuration file, or print its schema."""


@config_command.command("check")
@click.argument("file", type=READ_PATH, required=False)
@config_option
@format_option
@click.pass_context
def config_check_command(
    ctx: click.Context, file: Path | None, config_file: Path, form: str
) -> None:
    """Check FILE and list all its mistakes.

    Each mistake is listed with its place in the file. If there is none, the clusters are listed
    with their checks and with what their shadows have in place of their settings, after a warning
    for each client certificate that expires within three weeks.

    If the journal of the agent is there, and its settings judge otherwise, another line says which
    removals there would have been in the last day, and which there were (`ldaphealth backtest`).

    \b
    Exit status: 0 no mistake, 3 at least one.
    FILE may also be given as --config FILE.
    Without it: $LDAPHEALTH_CONFIG, or /etc/ldaphealth/ldaphealth.yaml.

    \b
    Examples:
      ldaphealth config check
      ldaphealth config check ./ldaphealth.yaml --format json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.config_check import check_file, check_file_as_json

    is_option = ctx.get_parameter_source("config_file") is ParameterSource.COMMANDLINE
    if file and is_option and file != config_file:
        raise click.UsageError("give FILE or --config, not both")
    file = file or config_file
    if form == "json":
        check_file_as_json(file)
    else:
        check_file(file)


@config_command.command("schema")
def config_schema_command() -> None:
    """Print the JSON Schema of the configuration file.

    Editors use it to complete and check the file.

    \b
    For the YAML language server, as the first line of the file:
      # yaml-language-server: $schema=/path/to/ldaphealth.schema.json

    \b
    Exit status: 0 printed.

    \b
    Examples:
      ldaphealth config schema > ldaphealth.schema.json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.checks import BUILT_IN
    from ldaphealth.config.json_schema import schema

    click.echo(json.dumps(schema(BUILT_IN.values()), indent=2))
