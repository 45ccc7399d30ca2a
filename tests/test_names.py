"""One name for one thing: class names are unique, and the glossary names what exists."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ldaphealth"
GLOSSARY = ROOT / "docs" / "glossary.md"
# Each check has its own settings and facts, which its module tells apart.
OF_EACH_CHECK = {"Params", "Facts"}
ROW = re.compile(r"^\| (?!concept|-)(.+?) \| (.+?) \| (.*?) ?\| (.+?) \|$", re.MULTILINE)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public_classes() -> dict[str, list[str]]:
    """Return where each public class is defined, by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path.relative_to(PACKAGE).as_posix())
    return found


def named(node: ast.stmt) -> Iterator[str]:
    """Yield what a statement defines; members as `Class.member`."""
    match node:
        case ast.ClassDef():
            yield node.name
            yield from (f"{node.name}.{each}" for inner in node.body for each in named(inner))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def rows() -> list[tuple[str, ...]]:
    return ROW.findall(GLOSSARY.read_text(encoding="utf-8"))


def missing(where: str) -> list[str]:
    """Return which files do not exist, and which names are not defined in the files before them."""
    found: list[str] = []
    defined: set[str] = set()
    for word in re.findall(r"`([^`]+)`", where):
        if not word.endswith(".py"):
            found += [] if word in defined else [word]
        elif (PACKAGE / word).is_file():
            defined |= {name for node in tree(PACKAGE / word).body for name in named(node)}
        else:
            found.append(word)
    return found


def test_every_public_class_has_a_name_of_its_own() -> None:
    classes = public_classes()

    assert len(classes) > 100
    shared = {name: where for name, where in classes.items() if len(where) > 1}
    assert {name: where for name, where in shared.items() if name not in OF_EACH_CHECK} == {}


def test_only_checks_share_the_names_of_settings_and_facts() -> None:
    where = [each for name in OF_EACH_CHECK for each in public_classes().get(name, ())]

    assert where
    assert [each for each in where if not each.startswith("checks/")] == []


def test_every_concept_stands_in_the_glossary_once() -> None:
    concepts = [concept for concept, *_ in rows()]
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()

    assert len(concepts) == sum(
        line.startswith("|") and not line.startswith(("| concept", "|--")) for line in lines
    )
    assert len(set(concepts)) == len(concepts)


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row[0]))
def test_what_the_glossary_names_exists(row: tuple[str, ...]) -> None:
    where = row[-1]

    assert re.match(r"`[\w/]+\.py` `", where), "first the file, then a name in it"
    assert missing(where) == []


def test_the_test_above_would_see_what_is_missing() -> None:
    where = "`model.py` `Server` `Server.tls` `Server.colour` `nowhere.py` `agent/pool.py` `Poodle`"

    assert missing(where) == ["Server.colour", "nowhere.py", "Poodle"]
