"""The text is one that the program reads back, whatever servers said."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.config.yaml_file import read_yaml
from ldaphealth.discover.configuration_text import configuration_text
from ldaphealth.discover.draft import Draft, Place
from ldaphealth.discover.hidden import Hidden

ODD = ("a\nclusters: {}", "x\r\ny", "\u2028- evil", "no", "1:30", "# c", "{a: b", "'", '"', "\x85")
TYPES = ("off", "true", "010", "- x", "&a", "*a", "!!str", "%", "@", "`", "\x00", "~", "\ufeff")
HOSTILE = st.one_of(st.text(max_size=60), st.sampled_from((*ODD, *TYPES)))
SETTINGS = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=8),
    st.one_of(HOSTILE, st.booleans(), st.integers(0, 10**6), st.lists(HOSTILE, max_size=3)),
    min_size=1,
    max_size=4,
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), SETTINGS, max_size=4),
    st.lists(HOSTILE, max_size=3),
    HOSTILE,
)
def test_what_is_written_is_read_back(
    servers: dict[str, dict[str, object]], comments: list[str], hidden: str
) -> None:
    path = Path("/dev/shm") / "ldaphealth-discover-test.yaml"  # noqa: S108  written many times
    data = {"clusters": {"c": {"suffix": hidden, "servers": servers, "checks": {"search": "off"}}}}
    places: dict[Place, list[str]] = {("clusters", "c", "servers", n): comments for n in servers}
    draft = Draft(cluster="c", data=data, comments=places)
    seen = [Hidden(what=hidden, servers=(hidden,), why=hidden, grants=(hidden, hidden))]

    text = configuration_text(draft, comments, seen)

    path.write_text(text, encoding="utf-8")
    try:
        assert read_yaml(path) == data
    finally:
        path.unlink()
    assert text.splitlines() == text.split("\n")[:-1]  # no other character ends a line


def test_values_that_need_no_quotes_have_none() -> None:
    data = {"clusters": {"c": {"servers": {"a": "ldap://a"}, "checks": {"monitor": "off"}}}}

    text = configuration_text(Draft(cluster="c", data=data, comments={}), ["head"], [])

    assert text == (
        "# head\n\nclusters:\n  c:\n    servers:\n"
        '      a: "ldap://a"\n    checks:\n      monitor: off\n\n'
        "# All that was looked for could be seen.\n"
    )
