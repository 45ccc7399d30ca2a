"""`ldaphealth setup`: what an administrator adds to the directory for the configured checks."""

from __future__ import annotations

from pathlib import Path

import click

from ldaphealth.cli.options import complete, config_option, format_option

EXAMPLES = """\b
Examples:
  ldaphealth setup --agent lb1 --agent lb2
  ldaphealth setup --part entries --agent lb1 --agent lb2 > entries.ldif
  ldaphealth setup --part rules > rules.ldif
  ldaphealth setup --part rules --database 'dc=example,dc=com={2}mdb'
  ldaphealth setup --for slapd.conf
"""


@click.command("setup", epilog=EXAMPLES)
@click.argument("clusters", nargs=-1, metavar="[CLUSTER]...", shell_complete=complete)
@config_option
@click.option(
    "--for",
    "form_of_rules",
    type=click.Choice(["cn=config", "slapd.conf", "389"]),
    default="cn=config",
    show_default=True,
    help="The form of the access rules.",
)
@click.option(
    "--part",
    type=click.Choice(["all", "entries", "rules"]),
    default="all",
    show_default=True,
    help="Print one part alone: other identities apply them.",
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="NAME",
    help="A balancer that needs canaries: its host name, or its setting `agent`; once for each.  "
    "[default: this one]",
)
@click.option(
    "--database",
    "databases",
    multiple=True,
    metavar="SUFFIX=NAME",
    help="The database of a suffix in cn=config, such as 'cn=Monitor={2}monitor'.",
)
@click.option(
    "--ppolicy",
    is_flag=True,
    help="The servers have slapo-ppolicy: the account may see when its password expires.  "
    "[default: if a setting names a policy]",
)
@click.option(
    "--all-accounts",
    is_flag=True,
    help="Also give rights to the accounts of applications and users that checks try.",
)
@click.option(
    "--account", default="", metavar="DN", help="The DN of the account that binds by SASL EXTERNAL."
)
@click.option(
    "--object-class",
    default="",
    metavar="CLASS",
    help="In place of applicationProcess, which is system-only in Active Directory.",
)
@format_option
def setup_command(  # noqa: PLR0913  the options of the command
    *,
    clusters: tuple[str, ...],
    config_file: Path,
    form_of_rules: str,
    part: str,
    agents: tuple[str, ...],
    databases: tuple[str, ...],
    ppolicy: bool,
    all_accounts: bool,
    account: str,
    object_class: str,
    form: str,
) -> None:
    """Print what to add to the directory for the configured checks.

    The access rules let the account read what the checks need, attribute by attribute, and nothing
    else. The entries are the account, the container and the canaries. Nothing is sent to a server,
    and no password is printed.

    \b
    Exit status: 0 printed, 3 bad input.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.setup_output import Wishes, print_setup

    wishes = Wishes(
        rules=form_of_rules,
        part=part,
        agents=agents,
        databases=databases,
        has_policy=ppolicy,
        with_others=all_accounts,
        account=account,
        object_class=object_class,
    )
    print_setup(clusters, config_file, wishes, as_json=form == "json")
