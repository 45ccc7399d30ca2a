"""A workload file: what was written is read again, and every mistake has its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ldaphealth.cli.commands import cli
from ldaphealth.config import load as load_config
from ldaphealth.config.mistakes import ConfigError
from ldaphealth.config.workload_file import load_workload, with_workloads
from ldaphealth.workload.file_text import workload_text
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload

TEXT = """\
form: 1
operations: 5
sources:
  uid: {attribute: uid, base: "dc=example,dc=org"}
  person: {dn: "uid=*,dc=example,dc=org"}
shapes:
  - name: search-uid-1
    operation: search
    base: "dc=example,dc=org"
    scope: sub
    filter: "(uid={uid})"
    attributes: [cn, "*", "1.1"]
    count: 3
    share: 0.6
    results: {0: 3}
    entries: {1: 3}
    seconds: {0.001: 3}
  - name: compare-uid-2
    operation: compare
    base: "{person}"
    attribute: uid
    value: "{uid}"
    count: 2
    share: 0.4
    results: {5: 2}
"""


def load(text: str, tmp_path: Path) -> Workload:
    path = tmp_path / "workload.yaml"
    path.write_text(text, encoding="utf-8")
    return load_workload(path)


def mistakes(text: str, tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(text, tmp_path)
    return raised.value.problems


def test_a_file_is_read(tmp_path: Path) -> None:
    workload = load(TEXT, tmp_path)

    assert [shape.name for shape in workload.shapes] == ["search-uid-1", "compare-uid-2"]
    assert workload.shapes[0].sources == ("uid",)
    assert workload.shapes[1].sources == ("person", "uid")


NASTY = ("it's", 'a "quote"', "back\\slash", "Größe", "\u2028", "\x7f\x01", "yes", "1", "# no", "")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    shape = OperationShape(
        name="search-cn-1",
        operation="search",
        base='cn="a,b",ou=gr\u00f6\u00dfe',
        scope="one",
        deref="always",
        filter=r"(&(cn={cn}*)(sn=\5c#:'\22))",
        attributes=("cn;lang-de", "+", "2.5.4.3"),
        controls=("1.2.840.113556.1.4.319",),
        count=1234567,
        share=0.333333,
        results={0: 1234560, 4: 7},
        entries={0: 1, 1: 2, 1 << 20: 3},
        seconds={0.00000113: 1, 0.0512: 2, 9740.0: 3},
    )
    written = Workload(
        form=1,
        operations=3703701,
        left_out={"of rare shapes": 7, "bind": 5},
        sources={"cn": ValueSource(values=NASTY), "no": ValueSource(dn="uid=*,dc=o")},
        shapes=(shape,),
    )

    assert load(workload_text(written), tmp_path) == written


WRONG = {  # what is replaced by what, and the mistake from its line on
    "a write": ("operation: search", "operation: modify", "8: shapes.1.operation: must be one"),
    "an extended operation": ("operation: compare", "operation: extended", "19: shapes.2.oper"),
    "a bind": ("operation: compare", "operation: bind", "19: shapes.2.operation: must be one"),
    "an unknown key": ("scope: sub", "scop: sub", "10: shapes.1.scop: unknown key; did you"),
    "a key of a write": ("value:", "new_value:", "22: shapes.2.new_value: unknown key"),
    "another scope": ("scope: sub", "scope: all", "10: shapes.1.scope: must be one of base"),
    "no filter": ('filter: "(uid={uid})"', 'filter: ""', "11: shapes.1.filter: is missing in"),
    "a wrong filter": ("(uid={uid})", "(uid={uid}", "11: shapes.1.filter: '(uid={uid}' is"),
    "a wrong base": ('base: "dc=example,dc=org"\n', "base: x\n", "9: shapes.1.base: 'x' is not"),
    "half a base": ('"{person}"', '"{person},dc=o"', "20: shapes.2.base: is either a DN or one"),
    "an unknown source": ("(uid={uid})", "(uid={u})", "7: shapes.1: names {u}, which is not in"),
    "a source of a base": ('"{person}"', '"{uid}"', "20: shapes.2.base: needs a source with"),
    "a name twice": ("compare-uid-2", "search-uid-1", "18: shapes.2.name: 'search-uid-1' is th"),
    "a name of other signs": ("compare-uid-2", "a b", "18: shapes.2.name: must be a name of"),
    "no attribute": ("[cn,", "[c n,", "12: shapes.1.attributes: 'c n' is not the name of"),
    "a filter of a compare": ("value:", "filter: (a=b)\n    value:", "22: shapes.2.filter: is"),
    "a source of two kinds": ("{attribute: uid,", "{dn: uid=*, attribute: uid,", "4: sources.uid:"),
    "a dn without a *": ("uid=*,dc", "uid=a,dc", "5: sources.person.dn: has no *"),
    "a source that is no dn": ('"uid=*,dc', '"u*id,dc', "5: sources.person.dn: is not a DN"),
    "a wrong count": ("count: 3", "count: 0", "13: shapes.1.count: must be a whole number >= 1"),
    "a wrong share": ("share: 0.6", "share: 6", "14: shapes.1.share: must be a number <= 1"),
    "another form": ("form: 1", "form: 2", "1: form: must be one of 1"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "mistake"), WRONG.values(), ids=WRONG)
def test_a_mistake_has_its_line(right: str, wrong: str, mistake: str, tmp_path: Path) -> None:
    found = mistakes(TEXT.replace(right, wrong, 1), tmp_path)

    assert [each for each in found if each.startswith(f"line {mistake}")], found


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("scope: sub", "scop: sub").replace("count: 2", "count: x")

    assert [each.split(":")[0] for each in mistakes(text, tmp_path)] == ["line 10", "line 23"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "line 1: the file: must be a mapping"),
        ("form: 1\n", "line 1: operations: is missing"),
        ("a: [", "line 2, column"),
        ("a: &x 1\nb: *x\n", "YAML aliases"),
    ],
)
def test_what_is_no_workload_is_refused(text: str, mistake: str, tmp_path: Path) -> None:
    assert mistakes(text, tmp_path)[0].startswith(mistake)


CONFIG = """\
clusters:
  c:
    servers: {{a: "ldap://a", b: "ldap://b"}}
    checks:
      workload: {{file: "{file}"}}
      staff: {{check: workload, file: "{file}", operations: 2, only: [a]}}
"""


def configured(tmp_path: Path, text: str) -> Path:
    """Return a configuration whose two checks name a workload with that text."""
    (tmp_path / "workload.yaml").write_text(text)
    path = tmp_path / "ldaphealth.yaml"
    path.write_text(CONFIG.format(file=tmp_path / "workload.yaml"))
    return path


def test_the_files_that_checks_name_are_read(tmp_path: Path) -> None:
    settings = load_config(configured(tmp_path, TEXT))
    checks = {each.name: each for each in with_workloads(settings).clusters["c"].checks}

    of_one_shot = {each.name: each for each in settings.clusters["c"].checks}
    assert of_one_shot["workload"].params.file.content is None
    assert [*checks["workload"].params.shapes] == ["search-uid-1", "compare-uid-2"]
    assert checks["staff"].params.file.digest == checks["workload"].params.file.digest != ""


def test_another_content_of_the_same_file_is_another_setting(tmp_path: Path) -> None:
    path = configured(tmp_path, TEXT)
    before = with_workloads(load_config(path))
    configured(tmp_path, TEXT.replace("count: 3", "count: 4"))

    assert with_workloads(load_config(path)) != before


@pytest.mark.parametrize("form", ["text", "json"])
def test_config_check_shows_the_mistakes_in_a_workload_with_their_lines(
    tmp_path: Path, form: str
) -> None:
    path = configured(tmp_path, TEXT.replace("operation: search", "operation: modify"))
    words = ["config", "check", str(path), "--format", form]
    done = CliRunner().invoke(cli, words)

    assert done.exit_code != 0
    line = f"{tmp_path}/workload.yaml: line 8: shapes.1.operation: must be one of search, compare"
    assert f"clusters.c.checks.workload.file: {line}" in done.output
    assert f"clusters.c.checks.staff.file: {line}" in done.output


def test_a_file_that_is_missing_or_relative_is_a_mistake(tmp_path: Path) -> None:
    path = configured(tmp_path, TEXT)
    (tmp_path / "workload.yaml").unlink()
    with pytest.raises(ConfigError) as raised:
        with_workloads(load_config(path))
    assert "cannot read it: No such file or directory" in raised.value.problems[0]

    path.write_text(CONFIG.format(file="workload.yaml"))
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert raised.value.problems[0] == ("clusters.c.checks.workload.file: must be an absolute path")
