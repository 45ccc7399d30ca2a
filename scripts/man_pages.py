"""Write the man pages in man/ from the help of each command and docs/configuration.md.

`make docs` runs it. With --check it writes nothing and fails if a page is missing, out of date or
too many.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import click
import roff
from written_document import write_or_check

from ldaphealth import __version__
from ldaphealth.cli.check_ldaphealth import check_ldaphealth_command
from ldaphealth.cli.commands import cli
from ldaphealth.cli.options import CONFIG_FILE
from ldaphealth.settings import AgentSettings

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "man"
CONFIGURATION = ROOT / "docs" / "configuration.md"
# Of the newest version in the changelog of the package, so that a page changes with its content.
DATE = parsedate_to_datetime(
    (ROOT / "debian" / "changelog")
    .read_text()
    .partition("\n -- ")[2]
    .partition("  ")[2]
    .split("\n")[0]
).strftime("%Y-%m-%d")
SECTIONS = {"Examples": "EXAMPLES", "Exit status": "EXIT STATUS"}  # paragraphs that begin so
FILES = {
    CONFIG_FILE: "The configuration, ldaphealth.yaml(5).",
    AgentSettings().runtime_directory: "The agent's socket, and its verdicts for keepalived.",
    AgentSettings().state_directory: "Its overrides and its history.",
}


def main() -> int:
    """Write or check all pages; return the exit status."""
    pages = dict(_pages())
    unknown = {path for path in PAGES.glob("man?/*") if path not in pages}
    if "--check" not in sys.argv[1:]:
        for path in unknown:
            path.unlink()
        unknown = set()
        for path in pages:
            path.parent.mkdir(parents=True, exist_ok=True)
    return max([bool(unknown), *(write_or_check(path, text) for path, text in pages.items())])


def _pages() -> Iterator[tuple[Path, str]]:
    contexts = [
        *_contexts(cli, "ldaphealth", None),
        *_contexts(check_ldaphealth_command, "check_ldaphealth", None),
    ]
    for ctx in contexts:
        yield PAGES / "man1" / f"{_name(ctx)}.1", "\n".join(_command(ctx, contexts)) + "\n"
    yield PAGES / "man5" / f"{CONFIG_FILE.name}.5", "\n".join(_configuration()) + "\n"


def _contexts(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[click.Context]:
    """Yield the context of a command and of all below it that are not hidden."""
    ctx = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield ctx
    if isinstance(command, click.Group):
        for each in command.list_commands(ctx):
            below = command.get_command(ctx, each)
            if below and not below.hidden:
                yield from _contexts(below, each, ctx)


def _name(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def _short(command: click.Command) -> str:
    return command.get_short_help_str(limit=200).rstrip(".")


def _command(ctx: click.Context, others: list[click.Context]) -> Iterator[str]:
    name = _name(ctx)
    yield from roff.title(name, 1, DATE, __version__)
    yield roff.section("NAME")
    yield from roff.wrapped(f"{name} \\- {roff.inline(_short(ctx.command))}")
    yield roff.section("SYNOPSIS")
    usage = " ".join(ctx.command.collect_usage_pieces(ctx))
    yield from roff.wrapped(f"\\fB{roff.escaped(ctx.command_path)}\\fR {roff.escaped(usage)}")
    described: dict[str, list[str]] = {"DESCRIPTION": [], "EXAMPLES": [], "EXIT STATUS": []}
    for paragraph in f"{ctx.command.help or ''}\n\n{ctx.command.epilog or ''}".split("\n\n"):
        if begin := paragraph.strip("\b\n "):
            found = next(
                (SECTIONS[each] for each in SECTIONS if begin.startswith(each)), "DESCRIPTION"
            )
            described[found] += _paragraph(paragraph)
    yield from [roff.section("DESCRIPTION"), *described["DESCRIPTION"][1:]]
    yield from _options(ctx)
    yield from _commands(ctx)
    for heading in ("EXIT STATUS", "EXAMPLES"):
        if described[heading]:
            yield from [roff.section(heading), *described[heading][1:]]
    if ctx.parent is None:
        yield roff.section("FILES")
        for path, meaning in FILES.items():
            yield from roff.tagged(f"\\fI{roff.escaped(str(path))}\\fR", meaning)
    yield roff.section("SEE ALSO")
    yield from _see_also(ctx, others)


def _paragraph(text: str) -> list[str]:
    """Return a paragraph of help; its lines stay where click keeps them."""
    lines = text.strip("\n").split("\n")
    if lines[0].strip() != "\b":
        return [".PP", *roff.filled(" ".join(each.strip() for each in lines))]
    about, *rest = lines[1:]
    if about.strip() == "Examples:":
        return roff.literal(rest)
    block = roff.literal(rest)[1:] if rest else []
    return [".PP", *roff.filled(about.strip()), *block]


def _options(ctx: click.Context) -> Iterator[str]:
    yield roff.section("OPTIONS")
    for each in ctx.command.get_params(ctx):
        record = each.get_help_record(ctx)
        if record and isinstance(each, click.Option):
            yield from roff.tagged(f"\\fB{roff.escaped(record[0])}\\fR", record[1])


def _commands(ctx: click.Context) -> Iterator[str]:
    if isinstance(ctx.command, click.Group):
        yield roff.section("COMMANDS")
        for each in ctx.command.list_commands(ctx):
            below = ctx.command.get_command(ctx, each)
            if below and not below.hidden:
                yield from roff.tagged(f"\\fB{roff.escaped(each)}\\fR", _short(below) + ".")


def _see_also(ctx: click.Context, others: list[click.Context]) -> Iterator[str]:
    """Yield references: to the command above, to those below, to the program and to the file."""
    above = [ctx.parent] if ctx.parent else []
    below = [each for each in others if each.parent is ctx]
    programs = [each for each in others if not each.parent and each not in (ctx, *above)]
    names = [f"{_name(each)} (1)" for each in (*above, *below, *programs)]
    yield from _references([*names, f"{CONFIG_FILE.name} (5)"])


def _references(pages: list[str]) -> Iterator[str]:
    yield from (f".BR {roff.escaped(each)}," for each in pages[:-1])
    yield f".BR {roff.escaped(pages[-1])}"


def _configuration() -> Iterator[str]:
    name = CONFIG_FILE.name
    yield from roff.title(name, 5, DATE, __version__)
    yield roff.section("NAME")
    yield f"{name} \\- configuration of ldaphealth"
    document = CONFIGURATION.read_text(encoding="utf-8").partition("\n")[2]
    yield from roff.markdown(f"## DESCRIPTION\n{document}")
    yield roff.section("SEE ALSO")
    yield from _references(
        ["ldaphealth (1)", "ldaphealth-config-check (1)", "ldaphealth-agent (1)"]
    )


if __name__ == "__main__":
    sys.exit(main())
