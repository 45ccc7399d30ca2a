"""No value that a client sent reaches the file, unless values are wanted; passwords never do."""

from __future__ import annotations

from ldaphealth.workload.file_text import workload_text
from tests.workload.logs import SUFFIX, learnt, lines_of, search


def secrets(kind: str, count: int) -> list[str]:
    return [f"{kind}-s3cret-{number}" for number in range(count)]


def log_with_secrets() -> tuple[list[str], list[str]]:
    """Return a log in which every value is a secret, and the secrets."""
    names = secrets("uid", 40)
    operations = [
        each
        for name in names
        for refused, _ in [search(SUFFIX, f"(uid={name})")]
        for each in (
            search(f"uid={name},ou=people,{SUFFIX}", "(objectClass=*)", scope=0),
            search(f"cn={name},ou=groups,{SUFFIX}", f"(member=uid={name},{SUFFIX})"),
            search(f"ou=people,{SUFFIX}", f"(|(mail={name}@example.net)(cn={name}*))", "cn"),
            search(f"ou={name},{SUFFIX}", f"(!(sn>={name}))"),
            search(f"o={name}+ou=x,{SUFFIX}", f"(cn:caseExactMatch:={name})"),
            search(SUFFIX, f"(objectClass={name} {name})"),
            search(SUFFIX, f"({name}=x)", name),
            search(SUFFIX, f"(?{name}=x)"),
            (f'CMP dn="uid={name},{SUFFIX}" attr="mail"', "RESULT tag=111 err=6 text="),
            (f'MOD dn="uid={name},{SUFFIX}"', f"RESULT tag=103 err=53 text={name}"),
            (f'BIND dn="uid={name},{SUFFIX}" method=128', f"RESULT tag=97 err=49 text={name}"),
            (refused, f"SEARCH RESULT tag=101 err=4 nentries=0 text={name}"),
        )
    ]
    return [*lines_of(operations)], names


def test_the_file_has_none_of_the_values_in_the_log() -> None:
    log, names = log_with_secrets()
    text = workload_text(learnt(log, at_least=10))

    assert [name for name in names if name in text] == []
    assert text.count("- name:") == 8
    assert all(name in "\n".join(log) for name in names)


def test_values_are_in_the_file_if_they_are_wanted() -> None:
    log, names = log_with_secrets()
    workload = learnt(log, at_least=10, keep_values=True)
    text = workload_text(workload)

    assert [name for name in names if name not in text] == []
    drawn = workload.sources[workload.shapes[-1].base.strip("{}")]
    assert drawn.values
    assert all(len(each.values) <= 50 for each in workload.sources.values())


def test_passwords_are_never_kept() -> None:
    workload = learnt(lines_of([search(SUFFIX, "(userPassword=s3cret)")]), keep_values=True)

    assert "s3cret" not in workload_text(workload)
