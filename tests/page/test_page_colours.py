"""The page is readable with low vision or colour blindness, in the light and the dark scheme.

The contrast is that of WCAG 2.2, success criteria 1.4.3 (text: 4.5) and 1.4.11 (others: 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from ldaphealth.page.document import STYLE

TONES = ("good", "bad", "care", "calm", "dim")
TEXT = [
    *((ink, paper) for ink in ("ink", "quiet", "link", *TONES) for paper in ("paper", "card")),
    *((tone, f"{tone}-paper") for tone in TONES),
    *(("ink", f"{tone}-paper") for tone in TONES),
    ("on-bad", "bad"),
]
SHAPES = [("plot", "card"), ("card", "good"), ("card", "bad"), ("card", "care"), ("quiet", "card")]


def schemes() -> Mapping[str, Mapping[str, str]]:
    """Return the custom properties of the light and of the dark page."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    properties = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
    return {"light": dict(properties.findall(light)), "dark": dict(properties.findall(dark))}


def luminance(colour: str) -> float:
    """Return the relative luminance of sRGB, as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Return the ratio from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def pairs(wanted: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(scheme, *pair) for scheme in ("light", "dark") for pair in wanted]


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("scheme", "ink", "paper"), pairs(TEXT))
def test_text_can_be_read(scheme: str, ink: str, paper: str) -> None:
    colours = schemes()[scheme]

    assert contrast(colours[ink], colours[paper]) >= 4.5


@pytest.mark.parametrize(("scheme", "ink", "paper"), pairs(SHAPES))
def test_shapes_can_be_seen(scheme: str, ink: str, paper: str) -> None:
    colours = schemes()[scheme]

    assert contrast(colours[ink], colours[paper]) >= 3


def test_both_schemes_have_every_colour_and_no_rule_has_one_of_its_own() -> None:
    light, dark = schemes()["light"], schemes()["dark"]
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)

    assert light.keys() == dark.keys()
    assert {name for pair in TEXT + SHAPES for name in pair} <= light.keys()
    assert not re.search(r":[^;{}]*(?:#[0-9a-f]{3,6}\b|rgb|hsl)", rules)
