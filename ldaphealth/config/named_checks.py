"""Build the checks of a cluster: their kinds and names, and the settings that any check may have.

build.py calls `named_checks`. A key under `checks:` is the name of a check. It is also the name of
its kind, unless `check: KIND` names another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from ldaphealth.check import AnyCheck
from ldaphealth.checks import BUILT_IN, LAST, OFF_WITHOUT_SETTINGS, SESSION
from ldaphealth.config.fill import fill_some, fill_struct
from ldaphealth.config.mistakes import Problems
from ldaphealth.config.shape import CheckEntry
from ldaphealth.model import Credentials, SettingMistakes
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.suggestion import did_you_mean, suggestion

Finder = Callable[[str], AnyCheck]

OFF = ("off", False)
ON = (None, True)  # a check without settings
KIND = "check"  # the key that names the kind
LIKELY = 0.75  # ratio of two names; less may be a name of the user's choice
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
# These stand for other things than a check in reason codes and in the output of the plugin.
RESERVED = frozenset({"agent", "time"})
COMMON = {each.encode_name: each.name for each in fields(CheckEntry)}


class Known(Struct, frozen=True):
    """What the settings of the checks of a cluster may name: kinds, servers and credentials."""

    finder: Finder
    servers: tuple[str, ...]
    credentials: Mapping[str, Credentials]


def remembering(finder: Finder) -> Finder:
    """Return the finder with a memory: kinds of other packages are slow to find."""
    found: dict[str, AnyCheck | LookupError] = {}

    def find(name: str) -> AnyCheck:
        if name not in found:
            try:
                found[name] = finder(name)
            except LookupError as error:
                found[name] = error
        kind = found[name]
        if isinstance(kind, LookupError):
            raise kind
        return kind

    return find


def named_checks(
    path: str, entries: Mapping[str, Any], known: Known, problems: Problems
) -> tuple[ConfiguredCheck, ...]:
    """Return the checks in the order of a session. Built-in checks without settings are on.

    Checks with credentials of their own are the last ones before the check `monitor`, and those
    with the same credentials follow one another.
    """
    on = (name for name in BUILT_IN if name not in OFF_WITHOUT_SETTINGS)
    wanted = dict.fromkeys(on, None) | dict(entries)
    configured = [
        each
        for name, settings in wanted.items()
        for each in _configured(name, settings, f"{path}.{name}", known, problems)
    ]
    accounts = [*dict.fromkeys(each.credentials for each in configured)]
    return tuple(
        sorted(configured, key=lambda each: (_place(each), accounts.index(each.credentials)))
    )


def _place(configured: ConfiguredCheck) -> float:
    """Return the place in a session: that of the kind, or just before `LAST`."""
    kinds = [*BUILT_IN]
    if configured.credentials is not None:
        return kinds.index(LAST) - 0.25
    name = configured.check.name
    return kinds.index(name) if name in kinds else kinds.index(LAST) - 0.5


def _configured(
    name: str, settings: Any, path: str, known: Known, problems: Problems
) -> Iterator[ConfiguredCheck]:
    """Yield the check of that name, nothing if it is off or has no kind."""
    if settings in OFF:
        if name in SESSION:
            problems.add(path, "this step of a session cannot be off")
        return
    settings = {} if settings in ON else settings
    kind = _kind(name, settings, path, known.finder, problems)
    if kind is None:
        return
    common = [key for key in COMMON if key == "effect" or key not in _keys(kind)]
    params = fill_struct(kind.params, settings, path, problems, beside=common)
    given = (
        {} if not isinstance(settings, dict) else {k: settings[k] for k in common if k in settings}
    )
    use = CheckEntry(**fill_some(CheckEntry, given, path, problems))
    problems.add_each(path, _mistakes(kind, use, given, known))
    yield ConfiguredCheck(
        kind,
        params,
        use.effect if "effect" in given else kind.effect,
        alias="" if name == kind.name else name,
        every=use.every,
        servers=_servers(use, known),
        credentials=known.credentials.get(use.credentials),
    )


def _kind(
    name: str, settings: Any, path: str, finder: Finder, problems: Problems
) -> AnyCheck | None:
    """Return the kind of a check, None after a mistake."""
    given = settings.get(KIND) if isinstance(settings, dict) else None
    try:
        own = finder(name)
    except LookupError as error:
        if given is None:
            likely = did_you_mean(name, BUILT_IN, LIKELY)
            hint = (
                likely or f"; `{KIND}: KIND` names the kind of a check with a name of your choice"
            )
            problems.add(path, f"{error.args[0]}{hint}")
            return None
    else:
        if given not in (None, name) and KIND not in _keys(own):
            problems.add(f"{path}.{KIND}", f"must be {name}, the kind of that name; or rename it")
            return None
        return own
    if not NAME.fullmatch(name) or name in RESERVED:
        what = "is reserved" if name in RESERVED else "is not a name of a check"
        rule = "lower-case letters, digits and underscores, a letter first, 32 at most"
        problems.add(path, f"{what}; choose another one: {rule}")
        return None
    return _other_kind(given, f"{path}.{KIND}", finder, problems)


def _other_kind(given: object, path: str, finder: Finder, problems: Problems) -> AnyCheck | None:
    """Return the kind that `check: KIND` names, None if it cannot have another name."""
    if not isinstance(given, str):
        problems.add(path, "must be a text, the kind of the check")
        return None
    try:
        kind = finder(given)
    except LookupError as error:
        problems.add(path, f"{error.args[0]}{did_you_mean(given, BUILT_IN)}")
        return None
    if why := kind.why_single:
        problems.add(path, f"a cluster has one check {given}, under its own name: {why}")
        return None
    return kind


def _keys(kind: AnyCheck) -> tuple[str, ...]:
    """Return the keys of the settings of a kind."""
    keys: tuple[str, ...] = kind.params.__struct_encode_fields__
    return keys


def _mistakes(
    kind: AnyCheck, use: CheckEntry, given: Mapping[str, object], known: Known
) -> SettingMistakes:
    """Yield each wrong key of the settings that any check may have, and a message."""
    for key in given:
        if why := why_refused(kind, key):
            yield key, f"the check {kind.name} cannot have it: {why}"
    if kind.observe_as and not use.credentials:
        yield "credentials", "is missing: the password with which the check logs in"
    if use.credentials and use.credentials not in known.credentials:
        hint = suggestion(use.credentials, known.credentials)
        yield "credentials", f"{use.credentials!r} is not under credentials{hint}"
    for key, names in (("only", use.only), ("except", use.except_)):
        for name in names:
            if name not in known.servers:
                yield key, f"the cluster has no server {name!r}{suggestion(name, known.servers)}"
    if use.only and use.except_:
        yield "", "only and except must not be given together"
    elif use.except_ and not _servers(use, known):
        yield "except", "leaves no server; `off` disables a check"


def why_refused(kind: AnyCheck, key: str) -> str:
    """Return why a check of that kind cannot have a setting that others have, "" if it can."""
    if key == "credentials" and kind.survey is not None:  # it has sessions of its own
        return kind.bound_because
    if key in ("every", "credentials") or (key in ("only", "except") and kind.name in SESSION):
        return kind.why_bound
    return ""


def _servers(use: CheckEntry, known: Known) -> frozenset[str]:
    """Return the names of the servers on which a check is run, none if these are all."""
    if use.except_:
        return frozenset(known.servers).difference(use.except_)
    return frozenset(use.only)
