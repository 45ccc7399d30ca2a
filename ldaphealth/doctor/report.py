"""The report of the doctor: as text of a certain width, as JSON, and the steps as one script.

Pure. Texts of servers and of files are printable already, or made so here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ldaphealth.doctor.examinations import ExaminationResult, problems_in_order, status_of
from ldaphealth.doctor.problem import Importance, Problem, Step
from ldaphealth.doctor.steps import command
from ldaphealth.rights.slapd_rules import AS_ROOT
from ldaphealth.text.command_template import ADMINISTRATOR
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

LEAST_WIDTH = 40
INDENT = " " * 8
SHELL_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")
LONGEST_TEXT = 2000
MOST_NAMES = 8
CONFIG_ADMINISTRATOR = "$LDAP_ADMIN"  # in the script: how an administrator of cn=config binds
BINDS = {
    "ldif": """\
# SET THIS: how an administrator of cn=config binds, who changes the access rules.
LDAP_ADMIN=${LDAP_ADMIN:--x -D cn=admin,cn=config -W}""",
    "command": """\
# SET THIS: the DN of an administrator of the data, who adds entries and sets passwords.
ADMIN_DN=${ADMIN_DN:?the DN of an administrator of the data}""",
}
ABOUT_BINDS = (
    "$ADMIN_DN in a command stands for the DN of an administrator of the data, such as "
    "cn=admin,dc=example,dc=com."
)
ABOUT_LDIF = (
    "LDIF is indented here, and must not be in a file: `ldaphealth doctor --fix` prints it so, "
    "with the commands that send it."
)
HEADING = """\
#!/bin/sh
# What `ldaphealth doctor` found, and the commands and LDIF that mend it. Nothing of this was run.
# Read each part before you run it: the first ones are the most important."""


def report_text(results: Sequence[ExaminationResult], width: int) -> str:
    """Return the problems, one block each, and a line for each examination without one."""
    problems = problems_in_order(results)
    width = max(LEAST_WIDTH, width)
    lines = [
        line for each in _about_steps(problems) for line in [*_wrapped(each, "", "", width), ""]
    ]
    lines += [line for each in problems for line in [*_block(each, width), ""]]
    for each in results:
        if not each.examined.problems:
            lines += _wrapped(f"{each.examination.title}: {_covered(each)}", "", "  ", width)
    between = [""] if lines and lines[-1] else []
    return "\n".join([*lines, *between, *_wrapped(_last_line(problems), "", "", width)])


def _covered(result: ExaminationResult) -> str:
    covered = result.examined.covered
    return covered if covered.startswith(("not ", "no ")) else f"{covered}: fine"


def _last_line(problems: Sequence[Problem]) -> str:
    if not problems:
        return "Nothing is wrong."
    levels = sorted(Importance, key=lambda level: -level.value)
    found = {each: sum(it.importance is each for it in problems) for each in levels}
    counts = [f"{count} [{each.word}]" for each, count in found.items() if count]
    total = f"{quantity(len(problems), 'problem')}: {', '.join(counts)}."
    if any(each.steps for each in problems):
        total += " `ldaphealth doctor --fix` prints the commands and LDIF that mend them."
    return total


def _about_steps(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield what must be known before the first step: how LDIF is sent, and who sends it."""
    steps = [step for each in problems for step in each.steps]
    if any(ADMINISTRATOR in each.text for each in steps):
        yield ABOUT_BINDS
    if any(each.kind == "ldif" for each in steps):
        yield ABOUT_LDIF


def _block(problem: Problem, width: int) -> Iterator[str]:
    heading = f"[{problem.importance.word}] {problem.code}: {_listed(problem.where)}"
    yield from _wrapped(heading, "", "  ", width)
    for name, text in (("what", problem.what), ("why", problem.why), ("do", problem.remedy)):
        if text:
            shown = printable(text, LONGEST_TEXT)
            yield from _wrapped(shown, f"  {name:<6}", INDENT, width)
    for step in problem.steps:
        yield from _step(step, width)


def _step(step: Step, width: int) -> Iterator[str]:
    if step.kind == "command":
        place = f"on {_listed(step.on)}: " if step.on else ""
        yield from _command(f"{place}$ {step.text}", INDENT, width)
        return
    if step.kind == "ldif":
        yield from _wrapped(f"as root on {_listed(step.on)}:", INDENT, INDENT, width)
        yield from _command(f"$ ldapmodify {AS_ROOT} -f FILE", INDENT, width)
        what = "with this LDIF in FILE:"
    else:
        what = "in the configuration:"
    yield from _wrapped(what, INDENT, INDENT, width)
    for line in step.text.splitlines():
        yield from (f"{INDENT}  {part}" for part in _folded(line, width - len(INDENT) - 2))


def _folded(line: str, width: int) -> Iterator[str]:
    """Yield a line of LDIF in parts, as RFC 2849 folds it: each that follows begins with a space.

    It is broken after a space or a comma where there is one, for people.
    """
    while len(line) > width:
        at = max(line.rfind(each, 2, width) for each in " ,") + 1 or width
        yield line[:at]
        line = f" {line[at:]}"
    yield line


def _listed(names: Sequence[str]) -> str:
    """Return names for people: not all if they are many; JSON has them all."""
    return listed([printable(each, LONGEST_TEXT) for each in names], MOST_NAMES)


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _command(text: str, indent: str, width: int) -> Iterator[str]:
    """Yield a command in lines that a shell joins; no quoted word is broken."""
    line, begin = "", indent
    for word in SHELL_WORD.findall(text):
        if line and len(begin) + len(line) + len(word) + 3 > width:
            yield f"{begin}{line} \\"
            line, begin = "", f"{indent}    "
        line = f"{line} {word}" if line else word
    yield begin + line


def report_document(results: Sequence[ExaminationResult]) -> Mapping[str, Any]:
    """Return the document for `--format json`."""
    problems = problems_in_order(results)
    by_problem = {id(each): it.examination for it in results for each in it.examined.problems}
    return {
        "exit_status": status_of(problems),
        "problems": [
            {
                "examination": by_problem[id(each)].name,
                **msgspec.to_builtins(each),
                "importance": each.importance.word,
            }
            for each in problems
        ],
        "examinations": [
            {
                "name": each.examination.name,
                "title": each.examination.title,
                "means": each.examination.means,
                "covered": each.examined.covered,
                "problems": len(each.examined.problems),
            }
            for each in results
        ],
    }


def _binds(problems: Sequence[Problem]) -> Iterator[str]:
    """Yield the administrators that the steps need, each as a variable to be set."""
    steps = [step for each in problems for step in each.steps]
    if any(each.kind == "ldif" for each in steps):
        yield BINDS["ldif"]
    if any(ADMINISTRATOR in each.text for each in steps):
        yield BINDS["command"]


def fix_script(problems: Sequence[Problem]) -> str:
    """Return one script with the steps of all problems; what is for other hosts is a comment."""
    parts = [HEADING, *_binds(problems)]
    for number, problem in enumerate(problems, 1):
        comments = [
            f"{number}. [{problem.importance.word}] {problem.code}: {_listed(problem.where)}",
            printable(problem.what, LONGEST_TEXT),
            printable(problem.remedy, LONGEST_TEXT),
        ]
        about = [line for each in comments if each for line in _wrapped(each, "# ", "# ", 80)]
        steps = [line for each in problem.steps for line in _script_lines(each)]
        parts.append("\n".join([*about, *steps]))
    return "\n\n".join(parts)


def _script_lines(step: Step) -> Iterator[str]:
    if step.kind == "command":
        yield from [f"# on {_listed(step.on)}: {step.text}"] if step.on else [step.text]
    elif step.kind == "setting":
        yield from (f"# in the configuration: {line}" for line in step.text.splitlines())
    else:
        yield f"for uri in {command(*step.on)}; do"
        starts_tls = " -ZZ" if step.starts_tls else ""
        yield f"""ldapmodify{starts_tls} {CONFIG_ADMINISTRATOR} -H "$uri" <<'LDIF'"""
        yield from step.text.splitlines()
        yield "LDIF"
        yield "done"
