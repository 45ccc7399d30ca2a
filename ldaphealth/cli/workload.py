"""`ldaphealth workload`: learn what clients do from the logs of servers, and show it.

commands.py loads the group when it is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ldaphealth.cli.option_types import WholeNumber
from ldaphealth.cli.options import format_option, password_file_option


@click.group("workload")
def workload_command() -> None:
    """Learn what clients do from logs, without their values.

    A workload is a file with the shapes of searches and compares, for review.
    """


@workload_command.command("learn")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("workload.yaml"),
    show_default=True,
    metavar="FILE",
    help="Write the workload to FILE, which must not exist yet.",
)
@click.option(
    "--at-least",
    type=WholeNumber(1, 1_000_000),
    default=10,
    show_default=True,
    metavar="N",
    help="Leave out shapes with fewer than N operations. They are summed.",
)
@click.option(
    "--most",
    type=WholeNumber(1, 500),
    default=100,
    show_default=True,
    metavar="N",
    help="Write the N most frequent shapes. The others are summed.",
)
@click.option(
    "--keep-values",
    is_flag=True,
    help="Also write values of clients, such as names of users: the first 50 of each template.",
)
@click.option(
    "--entries",
    type=WholeNumber(1, 100_000_000),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="Read at most N operations of cn=accesslog. For a SOURCE that is a URL.",
)
@click.option(
    "--log-base",
    default="cn=accesslog",
    show_default=True,
    metavar="DN",
    help="The suffix of the log database. For a SOURCE that is a URL.",
)
@click.option(
    "--bind-dn",
    default="",
    metavar="DN",
    help="Bind as DN; anonymous without it. For a SOURCE that is a URL.",
)
@password_file_option("Read the password from FILE. For a SOURCE that is a URL.")
@click.option("--start-tls", is_flag=True, help="Use StartTLS. For a SOURCE that is a URL.")
@click.option(
    "--ca-file",
    default="",
    metavar="FILE",
    help="Trust the certificate authorities in FILE. For a SOURCE that is a URL.",
)
@format_option
def workload_learn_command(  # noqa: PLR0913, PLR0917  options
    sources: tuple[str, ...],
    output: Path,
    at_least: int,
    most: int,
    keep_values: bool,
    entries: int,
    log_base: str,
    bind_dn: str,
    password_file: Path | None,
    start_tls: bool,
    ca_file: str,
    form: str,
) -> None:
    """Learn shapes of searches and compares from each SOURCE.

    A SOURCE is a log file, - for standard input, or the URL of a server with cn=accesslog, such as
    ldap://ldap1.example.com. The files may be compressed, rotated, and of several servers: the
    statistics log of slapd (loglevel stats) by syslog, journalctl, `slapd -d stats` or logfile, and
    the access log of 389 Directory Server.

    The file has no value that a client sent, unless with --keep-values. Writes and binds are
    counted, and are never part of a workload. Review the file before you use it.

    \b
    Exit status: 0 learnt, 3 bad input, or nothing was found.

    \b
    Examples:
      ldaphealth workload learn /var/log/slapd.log*
      journalctl -u slapd --since -1d |
        ldaphealth workload learn - --output day.yaml
      ldaphealth workload learn ldap://ldap1.example.com \\
        --bind-dn cn=log,dc=example,dc=com \\
        --password-file /etc/ldaphealth/log.password
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.url_options import UrlOptions
    from ldaphealth.cli.workload_learn import LearnOptions, learn_workload

    access = UrlOptions(
        bind_dn=bind_dn, password_file=password_file, start_tls=start_tls, ca_file=ca_file
    )
    wanted = LearnOptions(
        output=output,
        at_least=at_least,
        most=most,
        keep_values=keep_values,
        entries=entries,
        log_base=log_base,
        access=access,
    )
    sys.exit(learn_workload(sources, wanted, form))


@workload_command.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@format_option
def workload_show_command(file: Path, form: str) -> None:
    """Check a workload, and print its shapes and their times.

    \b
    Exit status: 0 valid, 3 mistakes in FILE, each with its line.

    \b
    Examples:
      ldaphealth workload show workload.yaml
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.workload_show import show_workload

    show_workload(file, form)
