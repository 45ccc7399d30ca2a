"""`ldaphealth csn`: read and compare change sequence numbers at a terminal."""

from __future__ import annotations

import click

from ldaphealth.csn import CSN, CSNError
from ldaphealth.csn import parse as parse_csn


def _read(ctx: click.Context, param: click.Parameter, value: str) -> CSN:
    """Read an argument, or fail with a line that shows the right form."""
    try:
        return parse_csn(value)
    except CSNError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@click.group()
def csn() -> None:
    """Read and compare change sequence numbers (contextCSN, entryCSN)."""


@csn.command()
@click.argument("value", callback=_read)
def parse(value: CSN) -> None:
    """Take a CSN apart."""
    click.echo(f"time       {value.time.isoformat()}")
    click.echo(f"count      {value.count}")
    click.echo(f"server ID  {value.sid} ({value.sid:03x})")
    click.echo(f"mod        {value.mod}")
    click.echo(f"written    {value}")


@csn.command()
@click.argument("a", callback=_read)
@click.argument("b", callback=_read)
def compare(a: CSN, b: CSN) -> None:
    """Tell which of two CSNs is newer, and how far apart the two writes are."""
    gap = abs((a.time - b.time).total_seconds())
    if a == b:
        click.echo("the same")
    else:
        newer = "the first" if a > b else "the second"
        click.echo(f"{newer} is newer; {gap:.6f} s between the two writes, which is no lateness")
    if a.sid != b.sid:
        click.echo(
            f"their server IDs differ ({a.sid:03x}, {b.sid:03x}): order across them means little"
        )
