"""`ldaphealth discover`: find the servers of a cluster, and print a configuration for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.option_types import DurationText
from ldaphealth.cli.options import format_option, of_bind_dn, output_option
from ldaphealth.cli.url_options import UrlOptions

MOST_SECONDS = 3600.0  # of --measure


@click.command("discover")
@click.argument("uris", metavar="LDAP-URL...", nargs=-1, required=True)
@click.option("--cluster", default="", metavar="NAME", help="The name of the cluster.")
@click.option("--base", default="", metavar="DN", help="A naming context that no server names.")
@click.option("--bind-dn", default="", metavar="DN", help="Bind as this DN.")
@of_bind_dn
@click.option("--start-tls", is_flag=True, help="Read no server on ldap:// without StartTLS.")
@click.option(
    "--cleartext", is_flag=True, help="Send the password in the clear where TLS does not work."
)
@click.option("--ca-file", default="", metavar="FILE", help="CA certificates to trust, in PEM.")
@click.option(
    "--domain",
    default="",
    metavar="DOMAIN",
    help="Look up _ldap._tcp.DOMAIN in DNS.  [default: the dc= of the naming contexts]",
)
@click.option("--no-dns", is_flag=True, help="Look up no servers in DNS.")
@click.option(
    "--measure",
    "measure_seconds",
    type=DurationText(0, MOST_SECONDS),
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="How long to measure normal times, such as 60s or 5m. 0 measures nothing, and the "
    "thresholds are the defaults.",
)
@click.option(
    "--deadline",
    "deadline_seconds",
    type=DurationText(0.1, 300),
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="Time limit to read one server.",
)
@output_option
@format_option
def discover_command(uris: tuple[str, ...], output: Path | None, form: str, **given: Any) -> None:
    """Find a cluster from one server, and print a configuration.

    It reads the root DSE, cn=config, cn=Monitor and contextCSN where the account may, follows
    replication and DNS to the other servers, tries the checks, measures normal times, and prints a
    commented configuration with thresholds from what was measured. Below it stands what it could
    not see, and which right would show it. It writes nothing to a server.

    The password goes to a server by StartTLS or LDAPS, to this host also in the clear.

    \b
    Exit status: 0 a configuration was printed,
                 3 bad input, or no server could be read.

    \b
    Examples:
      ldaphealth discover ldap://ldap1.example.com
      ldaphealth discover ldap://ldap1.example.com --ca-file ca.pem \\
        --bind-dn cn=ldaphealth,ou=services,dc=example,dc=com \\
        --password-file password --output ldaphealth.yaml
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.discovered_file import discover_and_print

    of_urls = UrlOptions(**{name: given.pop(name) for name in UrlOptions.__struct_fields__})
    discover_and_print(uris, of_urls, output, form, **given)
