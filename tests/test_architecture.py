"""What must hold of the code as a whole, beside the direction of imports in pyproject.toml."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ldaphealth.guard import RULES

ROOT = Path(__file__).parents[1] / "ldaphealth"
DECIDING = sorted(
    [
        *(
            path
            for room in ("guard", "checks", "csn", "content", "judging", "rounds", "ldap")
            for path in ROOT.glob(f"{room}/*.py")
        ),
        *(ROOT / "agent" / f"{name}.py" for name in ("agent", "pool", "schedule")),
    ]
)
# Functions that a table, or what installs the program, calls by these names.
BY_CONTRACT = {
    "judge",
    "main",
    "new_baseline",
    "observe",
    "render",
    "requests",
    "second_look",
    "survey",
    "validate",
}
MOST_BY_PLACE = 5  # fields of a Struct
OBSERVES_THE_TIME = {
    "account.py": "observe_account",
    "replication.py": "observe",
    "certificate.py": "observe",
    "counters.py": "observe",
    "traffic_survey.py": "_server_clock",
    "workload_survey.py": "do_one_draw",
}
CLOCKS_OF_THE_DAY = {"time", "time_ns", "localtime", "gmtime", "now", "today", "utcnow"}


def names_used(path: Path) -> set[str]:
    """Return what is imported from `time` and `datetime`, or called on them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("time", "datetime"):
            found.add(node.attr)
    return found


@pytest.mark.parametrize("path", DECIDING, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_decision_asks_for_the_time_of_day(path: Path) -> None:
    """It steps, and after a step every duration by it is wrong."""
    assert names_used(path) & CLOCKS_OF_THE_DAY == set()


def test_the_test_above_would_see_one() -> None:
    assert "now" in names_used(ROOT / "cli" / "csn.py")


def functions_with_the_time_of_day(path: Path) -> set[str]:
    """Return the functions that name `epoch_seconds`, "" for the file itself."""
    tree = ast.parse(path.read_text())
    inside = {
        child: function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for child in ast.walk(function)
    }
    return {
        inside.get(node, "")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "epoch_seconds")
        or (isinstance(node, ast.Attribute) and node.attr == "epoch_seconds")
        or (isinstance(node, ast.alias) and node.name.endswith(("clocks", "epoch_seconds")))
    }


@pytest.mark.parametrize("path", DECIDING, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_time_of_day_is_only_a_fact_that_checks_observe(path: Path) -> None:
    allowed = {"", OBSERVES_THE_TIME[path.name]} if path.name in OBSERVES_THE_TIME else set()

    assert functions_with_the_time_of_day(path) == allowed


MOMENT = re.compile(r"(.+_)?(now|at|since|until|began|ended|at_seconds|clock)|(boot|epoch)_seconds")
ON_A_CLOCK = re.compile(r"\b(Boot|Monotonic|Running|Epoch)Seconds\b")


def moments_without_a_clock(source: str) -> list[str]:
    """Return the names of moments that are annotated as numbers, and not by their clock."""
    named = [
        (node.target, node.annotation)
        if isinstance(node, ast.AnnAssign)
        else (node, node.returns)
        if isinstance(node, ast.FunctionDef)
        else (node, node.annotation)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AnnAssign | ast.FunctionDef | ast.arg)
    ]
    return [
        name
        for target, annotation in named
        if annotation is not None and "float" in ast.unparse(annotation)
        if MOMENT.fullmatch(name := last_name(target))
        and not ON_A_CLOCK.search(ast.unparse(annotation))
    ]


def last_name(node: ast.AST) -> str:
    """Return the name that a definition gives, without the object that it belongs to."""
    for attribute in ("id", "attr", "arg", "name"):
        if hasattr(node, attribute):
            return str(getattr(node, attribute)).removeprefix("_")
    return ""


def test_every_moment_says_by_its_type_on_which_clock_it_is() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in ROOT.rglob("*.py")
        if (names := moments_without_a_clock(path.read_text(encoding="utf-8")))
    }

    assert found == {}, "clocks.py has the types"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("def f(now: float): ...", ["now"], id="a parameter"),
        pytest.param("def f(now: Callable[[], float]): ...", ["now"], id="a clock passed in"),
        pytest.param("valid_until: float | None = None", ["valid_until"], id="a field"),
        pytest.param("def next_at() -> float: ...", ["next_at"], id="what a function returns"),
        pytest.param("self._saved_at: float = 0.0", ["saved_at"], id="an attribute"),
        pytest.param("def f(now: BootSeconds): ...", [], id="on a clock"),
        pytest.param("def f(seconds: float): ...", [], id="a duration"),
        pytest.param("def f(now: VectorRead): ...", [], id="no number"),
    ],
)
def test_a_moment_without_a_clock_is_found_in_a_source(source: str, found: list[str]) -> None:
    assert moments_without_a_clock(source) == found


WITH_DOCSTRINGS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def rules_spelt(source: str) -> list[str]:
    """Return the names of rules that string constants spell, docstrings excepted.

    A constant spells a rule when it is its name, with nothing else but spaces and punctuation: a
    sentence with that word in it speaks English. The parts of an f-string are constants, too.
    """
    tree = ast.parse(source)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, WITH_DOCSTRINGS) and node.body and isinstance(node.body[0], ast.Expr)
    }
    name = re.compile(rf"\W*({'|'.join(rule.name for rule in RULES)})\W*")
    return [
        found[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node not in docstrings and (found := name.fullmatch(node.value))
    ]


def test_no_file_but_the_table_of_rules_spells_the_name_of_a_rule() -> None:
    spelt = {
        path.relative_to(ROOT).as_posix(): found
        for path in ROOT.rglob("*.py")
        if (found := rules_spelt(path.read_text(encoding="utf-8")))
    }

    assert spelt == {"guard/rules.py": [rule.name for rule in RULES]}, "each once, in its row"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("held_by == 'blind'", ["blind"], id="a comparison"),
        pytest.param("KEPT = {('floor', True): ''}", ["floor"], id="a key"),
        pytest.param("f'override ({word})'", ["override"], id="the part of an f-string"),
        pytest.param("d['settle']", ["settle"], id="a subscript"),
        pytest.param("def f():\n    'floor'", [], id="a docstring"),
        pytest.param("math.floor(cluster.settle.rise)", [], id="other names of the language"),
        pytest.param("'override taken back'", [], id="a sentence"),
    ],
)
def test_the_name_of_a_rule_is_found_in_a_source(source: str, found: list[str]) -> None:
    assert rules_spelt(source) == found


def public_functions() -> dict[str, list[str]]:
    """Return the files that have each public function of a module, by its name."""
    found: dict[str, list[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    return found


def test_a_public_function_has_a_name_of_its_own() -> None:
    twice = {name: files for name, files in public_functions().items() if len(files) > 1}

    assert {name: files for name, files in twice.items() if name not in BY_CONTRACT} == {}
    assert twice.keys() == BY_CONTRACT, "what is unique needs no contract"


def structs_to_fill_by_place(tree: ast.Module) -> list[str]:
    """Return the Structs with more than five fields whose fields may be given by their place."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        if any("Struct" in ast.unparse(base) for base in node.bases)
        if sum(isinstance(each, ast.AnnAssign) for each in node.body) > MOST_BY_PLACE
        if not any(keyword.arg == "kw_only" for keyword in node.keywords)
    ]


def test_a_struct_with_many_fields_is_filled_by_name() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in ROOT.rglob("*.py")
        if (names := structs_to_fill_by_place(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert found == {}


def test_the_test_above_would_see_a_struct() -> None:
    fields = "; ".join(f"f{number}: int" for number in range(MOST_BY_PLACE + 1))

    assert structs_to_fill_by_place(ast.parse(f"class A(Struct): {fields}")) == ["A"]
    assert structs_to_fill_by_place(ast.parse(f"class A(Struct, kw_only=True): {fields}")) == []
