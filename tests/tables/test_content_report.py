"""Differences as JSON, LDIF and a table. Text from a server cannot break the format."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ldaphealth.content.difference import Difference, EntryVersion
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.resume_file import ComparedContents
from ldaphealth.content.slices import Cursor
from ldaphealth.content.values import NO_VALUES, ValueSelection
from ldaphealth.tables.content_report import content_document, ldif
from ldaphealth.tables.content_table import HINT, render_differences
from ldaphealth.tables.terminal import as_text

SERVERS = ["c/a", "c/b", "c/d"]
OLD, NEW = EntryVersion("uuid", "csn-old"), EntryVersion("uuid", "csn-new")
CHANGED = Difference("cn=x,dc=y", {"c/a": OLD, "c/b": OLD, "c/d": NEW})
MISSING = Difference("cn=z,dc=y", {"c/a": OLD}, ("c/b", "c/d"))
TWINS = Difference("cn=t,dc=y", {"c/a": OLD, "c/b": EntryVersion("other", "csn-old")}, ("c/d",))


def report(*found: Difference, **changes: Any) -> dict[str, Any]:
    progress = ComparisonProgress(
        cursor=Cursor(1), most=10, entries={"c/a": 1000, "c/b": 1000, "c/d": 999}
    )
    progress.add_differences(found)
    values = changes.pop("values", NO_VALUES)
    for name, value in changes.items():
        setattr(progress, name, value)
    compared = ComparedContents(dict.fromkeys(SERVERS, "ldap://192.0.2.1"), "dc=y", values)
    return content_document("c", compared, progress, 1.25)


def table(*found: Difference, **changes: Any) -> list[str]:
    text = as_text(render_differences(report(*found, **changes)), width=120, colour=False)
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_document_has_versions_the_missing_and_the_odd() -> None:
    found = json.loads(json.dumps(report(MISSING)))

    assert found["differences"] == [
        {
            "dn": "cn=z,dc=y",
            "versions": {"c/a": {"entry_uuid": "uuid", "entry_csn": "csn-old"}},
            "missing": ["c/b", "c/d"],
            "odd": ["c/a"],
            "attributes": [],
        }
    ]
    assert [each["lacking"] for each in found["servers"]] == [0, 1, 1]


def test_the_table_shows_most_first_and_says_how_many() -> None:
    assert table(CHANGED, MISSING) == [
        "ENTRY SERVERS ENTRYCSN",
        "cn=x,dc=y a, b csn-old",
        "d csn-new",
        "cn=z,dc=y b, d lacks it",
        "a csn-old",
        "",
        "2 entries differ; 1,000 entries on 3 of 3 servers compared in 1 s",
    ]


def test_the_table_tells_two_entries_of_one_name_apart() -> None:
    assert table(TWINS)[1:4] == [
        "cn=t,dc=y a csn-old entryUUID uuid",
        "b csn-old entryUUID other",
        "d lacks it",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "no difference; 1,000 entries on 3 of 3 servers compared in 1 s"),
        ({"unsettled": 2}, "2 entries kept changing and could not be compared"),
        ({"not_compared": {"c/d": "refused\x1b[2J"}}, r"d was not compared: refused\x1b[2J"),
        ({"different": 12}, "and 12 more, which are not listed (--most)"),
        (
            {"lacking": {"c/d": 100}},
            HINT.format(server="d", count=100, entries="entries"),
        ),
    ],
    ids=["well", "unsettled", "left out", "more", "hint"],
)
def test_what_else_there_is_to_say(changes: dict[str, Any], line: str) -> None:
    assert line in table(**changes)


def test_with_one_server_compared_nothing_is_said_of_differences() -> None:
    text = "\n".join(table(not_compared={"c/b": "refused", "c/d": "refused"}))

    assert "difference" not in text


@pytest.mark.parametrize(
    "dn",
    [
        "cn=é,dc=y",
        "cn=x\n dn: cn=evil",
        " cn=x",
        "cn=x ",
        "<file:///x",
        ":x",
        "cn=\x00",
        "cn=\x1b[2J",
        "",
    ],
)
def test_the_ldif_encodes_what_is_not_safe(dn: str) -> None:
    lines = ldif(report(Difference(dn, {"c/a": OLD}, ("c/b",)))).splitlines()
    encoded = base64.b64encode(dn.encode()).decode()

    wanted = f"dn:: {encoded}" if dn else "dn: "
    assert lines == [
        "version: 1",
        "",
        "# c/a: csn-old",
        "# c/b: lacks it",
        wanted,
        "entryUUID: uuid",
    ]


def test_a_comment_of_the_ldif_is_one_line() -> None:
    wicked = Difference("cn=x", {"c/a": EntryVersion("u", "a\ndn: cn=evil")}, ())

    assert "# c/a: a\\ndn: cn=evil" in ldif(report(wicked)).splitlines()


VALUES = ValueSelection(is_on=True).without(["jpegPhoto"])
RIGHT, WRONG = (EntryVersion("uuid", "csn", 32 * digit) for digit in "ab")
OTHER_VALUES = Difference("cn=v,dc=y", {"c/a": RIGHT, "c/b": RIGHT, "c/d": WRONG}, (), ("sn", "cn"))


def test_other_values_and_what_was_compared_are_in_every_form() -> None:
    seen: dict[str, Any] = {
        "values": VALUES,
        "attributes": {"cn", "sn", "title"},
        "unreadable": {"title": ("c/a", "c/b")},
    }
    document = report(OTHER_VALUES, **seen)

    assert document["values"] == {
        "compared": ["cn", "sn"],
        "except": ["jpegphoto"],
        "unreadable": {"title": ["c/a", "c/b"]},
    }
    assert document["differences"][0]["versions"]["c/d"]["values"] == 32 * "b"
    assert document["differences"][0]["attributes"] == ["sn", "cn"]
    assert "# values differ: sn, cn\n" in ldif(document)
    assert table(OTHER_VALUES, **seen) == [
        "ENTRY SERVERS ENTRYCSN",
        "cn=v,dc=y a, b csn values aaaaaaaa",
        "d csn values bbbbbbbb",
        "values of sn, cn differ",
        "",
        "values compared of cn, sn; excepted: jpegphoto",
        (
            "values of title were not compared: the account may not read it on a, b, and it may on "
            "others"
        ),
        "1 entry differs; 1,000 entries on 3 of 3 servers compared in 1 s",
    ]
    assert report()["values"] is None
