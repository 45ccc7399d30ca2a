"""What all pages have in common: templates, style, and the headers that they are sent with.

Style and script of a page are inline and permitted by their hashes (Content Security Policy Level
3), so a page is complete when it is saved or comes through a proxy.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ldaphealth.text.quantity import quantity

TEMPLATES = Path(__file__).parent / "templates"


def file_text(name: str) -> str:
    """Return a file of the templates as it is."""
    return (TEMPLATES / name).read_text("utf-8")


STYLE = file_text("page.css")


def headers(style: str, script: str = "") -> Mapping[str, str]:
    """Return the headers of a page with this style, and with this script if there is one."""
    running = f"script-src {_hash(script)}; connect-src 'self'; " if script else ""
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; {running}"
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def rendered(name: str, style: str, script: str = "", /, **variables: Any) -> str:
    """Return a page: a template with its style and script, which are files of this package."""
    style, script = Markup(style), Markup(script)  # noqa: S704
    return _template(name).render(style=style, script=script, **variables)


def macro(name: str, of: str) -> Callable[..., Markup]:
    """Return a macro of a template, which makes a part of a page."""
    found: Callable[..., Markup] = getattr(_template(name).module, of)
    return found


@cache
def _template(name: str) -> Template:
    """Return a template. It escapes all text, and refuses variables that are not given."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["quantity"] = quantity
    return environment.get_template(name)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
