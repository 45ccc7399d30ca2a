"""docs/doctor.md has every examination, and every code that is not a reason code."""

from __future__ import annotations

import re
from pathlib import Path

from ldaphealth.doctor.examinations import EXAMINATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "doctor.md").read_text()
SOURCES = sorted((ROOT / "ldaphealth" / "doctor").glob("*.py"))
CODE = re.compile(r'code="([a-z]+\.[a-z_]+)"')


def test_every_examination_is_in_the_table() -> None:
    rows = [f"| {each.name} | {each.title} | {each.means} |" for each in EXAMINATIONS]

    assert "\n".join(rows) in PAGE


def test_every_code_of_the_doctor_is_explained() -> None:
    codes = {code for each in SOURCES for code in CODE.findall(each.read_text())}

    assert codes
    assert {each for each in codes if f"`{each}`" not in PAGE} == set()
