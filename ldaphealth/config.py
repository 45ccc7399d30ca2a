"""The configuration file: YAML, validated as a whole, into clusters that are ready to be probed.

The commands call `load`; only this file knows YAML and pydantic. Mistakes leave as a `ConfigError`
that lists all of them, each with its path and what would be right.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from ldaphealth.check import Check, Cluster, Planned
from ldaphealth.checks import BUILT_IN, SESSION, find
from ldaphealth.endpoint import parse_uri
from ldaphealth.model import BindMethod, Credentials, Effect, Role, Server, Tls
from ldaphealth.secret_file import read_secret, secret_of
from ldaphealth.thresholds import Range, parse_range

MAX_BYTES = 1 << 20
SECOND_LOOK_PART = 0.6  # of the deadline; the rest is for the looks themselves
Finder = Callable[[str], Check]


class ConfigError(Exception):
    """All that is wrong with a configuration file; `problems` are lines of `path: what`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class _Credentials(_Strict):
    method: BindMethod = Field(BindMethod.SIMPLE, strict=False)
    dn: str = ""
    password_file: str = ""
    password_env: str = ""


class _Tls(_Strict):
    start_tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    verify: bool = True


class _Server(_Strict):
    uri: str
    server_name: str = Field("", description="the name that the certificate must carry")
    role: Role = Field(Role.PROVIDER, strict=False)
    weight: int = Field(100, ge=0, le=253)
    credentials: str = Field("", description="a name under credentials; empty: the cluster's")


def _short_server(value: object) -> object:
    return {"uri": value} if isinstance(value, str) else value


class _Cluster(_Strict):
    suffix: str = ""
    credentials: str = Field("", description="a name under credentials; empty: anonymous")
    tls: _Tls = _Tls()
    deadline_seconds: float = Field(5.0, gt=0, le=300)
    second_look_seconds: float = Field(1.0, gt=0)
    min_in_service: int | None = Field(None, ge=0, description="default: half, rounded up")
    servers: dict[Name, Annotated[_Server, BeforeValidator(_short_server)]] = Field(min_length=1)
    checks: dict[str, Any] = Field(default_factory=dict)


class _File(_Strict):
    credentials: dict[Name, _Credentials] = Field(default_factory=dict)
    clusters: dict[Name, _Cluster] = Field(min_length=1)


class _Loader(yaml.SafeLoader):
    """YAML less the traps of 1.1: `1:30` is not 90, `no` is not false, no duplicate is lost."""


_TRAPS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in _TRAPS]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _plain_scalars() -> None:
    import re  # noqa: PLC0415  only for what follows

    for tag, form, first in (
        (_TRAPS[0], r"[-+]?[0-9]+", "-+0123456789"),
        (_TRAPS[1], r"[-+]?[0-9]*\.[0-9]+", "-+.0123456789"),
        (_TRAPS[2], r"true|false", "tf"),
    ):
        _Loader.add_implicit_resolver(tag, re.compile(rf"^(?:{form})$", re.ASCII), list(first))


_plain_scalars()


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: dict[object, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError([f"line {line}: a key must be a plain word"])
        if key.value in seen:
            problem = f"line {line}: {key.value!r} stands already in line {seen[key.value]}"
            raise ConfigError([problem])
        seen[key.value] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(path: Path, finder: Finder = find) -> dict[str, Cluster]:
    """Return the clusters of a configuration file by name; ConfigError lists all mistakes."""
    data = _read(path)
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_problems(error)) from None
    problems: list[str] = []
    known = {
        name: _credentials(f"credentials.{name}", each, problems)
        for name, each in file.credentials.items()
    }
    clusters = {
        name: _cluster(name, each, known, finder, problems) for name, each in file.clusters.items()
    }
    if problems:
        raise ConfigError(problems)
    return clusters


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"cannot read it: {error.strerror}"]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([f"it is larger than {MAX_BYTES} bytes"])
    if b"&" in content and b"*" in content:
        events = yaml.parse(content, Loader=yaml.SafeLoader)
        if any(isinstance(event, yaml.AliasEvent) for event in _safely(events)):
            raise ConfigError(["YAML aliases are not taken; write the values out"])
    try:
        return yaml.load(content, Loader=_Loader)  # noqa: S506  a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError([f"{where}{error.problem or 'no YAML'}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(["it is no YAML"]) from error


def _safely(events: Any) -> Any:
    try:
        yield from events
    except yaml.YAMLError:
        return  # the load that follows says it better


def _problems(error: ValidationError, keys: Iterable[str] = ()) -> list[str]:
    """Return a line for each objection; `keys` are those of the place that was validated."""
    return [
        _problem(each["loc"], each["type"], each["msg"], each.get("ctx", {}), list(keys))
        for each in error.errors()
    ]


def _problem(
    loc: tuple[int | str, ...],
    kind: str,
    message: str,
    context: Mapping[str, Any],
    keys: list[str],
) -> str:
    path = ".".join(str(part) for part in loc if part not in NO_PATH) or "the file"
    if kind == "extra_forbidden":
        known = keys if keys and len(loc) == 1 else _keys_at(loc)
        return f"{path}: unknown key{_near(str(loc[-1]), known)}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{path}: must be a mapping of keys to values"
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "string_pattern_mismatch":
        return f"{path}: a name is made of letters, digits, dot, dash and underscore"
    if kind == "value_error":
        return f"{path}: {context.get('error', message)}"
    return f"{path}: {message[0].lower()}{message[1:]}"


NO_PATH = ("[key]",)  # how pydantic names the key of a mapping, beside the key itself


def _keys_at(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the file may have at this place."""
    if len(loc) == 1:
        return list(_File.model_fields)
    if loc[0] == "credentials":
        return list(_Credentials.model_fields)
    places: dict[str, type[_Strict]] = {"tls": _Tls, "servers": _Server}
    return list(places.get(str(loc[2]), _Cluster).model_fields)


def _near(word: str, known: list[str]) -> str:
    if word == "password":
        return "; a password is never written here: use password_file or password_env"
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _credentials(path: str, given: _Credentials, problems: list[str]) -> Credentials:
    if given.method is not BindMethod.SIMPLE:
        if given.dn or given.password_file or given.password_env:
            problems.append(f"{path}: method {given.method} takes no dn and no password")
        return Credentials(given.method)
    if not given.dn:
        problems.append(f"{path}.dn: is missing; method simple binds as a DN")
    if bool(given.password_file) == bool(given.password_env):
        problems.append(f"{path}: say one of password_file and password_env")
        return Credentials()
    try:
        if given.password_env:
            secret = secret_of(given.password_env, os.environ)
        else:
            secret = read_secret(Path(given.password_file))
    except ValueError as error:
        key = "password_env" if given.password_env else "password_file"
        problems.append(f"{path}.{key}: {error}")
        return Credentials()
    return Credentials(BindMethod.SIMPLE, given.dn, secret)


def _cluster(
    name: str,
    given: _Cluster,
    known: Mapping[str, Credentials],
    finder: Finder,
    problems: list[str],
) -> Cluster:
    path = f"clusters.{name}"
    for key in ("ca_file", "certificate_file", "key_file"):
        file = getattr(given.tls, key)
        if file and not os.access(file, os.R_OK):
            problems.append(f"{path}.tls.{key}: {file} cannot be read")
    if given.tls.key_file and not given.tls.certificate_file:
        problems.append(f"{path}.tls.key_file: needs certificate_file")
    if given.second_look_seconds > given.deadline_seconds * SECOND_LOOK_PART:
        limit = given.deadline_seconds * SECOND_LOOK_PART
        problems.append(f"{path}.second_look_seconds: at most {limit:g}, 0.6 of the deadline")
    count = len(given.servers)
    floor = (count + 1) // 2 if given.min_in_service is None else given.min_in_service
    if floor > count:
        problems.append(f"{path}.min_in_service: at most {count}, the number of servers")
    servers = tuple(
        _server(f"{path}.servers.{key}", name, key, given, known, problems) for key in given.servers
    )
    checks = _checks(f"{path}.checks", given.checks, finder, problems)
    return Cluster(name, servers, checks, floor, given.deadline_seconds, given.second_look_seconds)


def _server(  # noqa: PLR0913, PLR0917
    path: str,
    cluster: str,
    name: str,
    given: _Cluster,
    known: Mapping[str, Credentials],
    problems: list[str],
) -> Server:
    server = given.servers[name]
    try:
        if parse_uri(server.uri).is_tls and given.tls.start_tls:
            problems.append(f"{path}.uri: ldaps:// and tls.start_tls exclude each other")
    except ValueError as error:
        problems.append(f"{path}.uri: {error}")
    wanted = server.credentials or given.credentials
    if wanted and wanted not in known:
        problems.append(f"{path}.credentials: {wanted!r} is unknown{_near(wanted, list(known))}")
    tls = Tls(
        given.tls.start_tls, given.tls.ca_file, given.tls.certificate_file, given.tls.key_file,
        given.tls.verify, server.server_name,
    )  # fmt: skip
    credentials = known.get(wanted, Credentials())
    return Server(
        cluster, name, server.uri, given.suffix, server.role, server.weight, credentials, tls
    )


def _checks(
    path: str, given: Mapping[str, Any], finder: Finder, problems: list[str]
) -> tuple[Planned, ...]:
    """Return the checks in the order of a session: built-in ones without settings are on."""
    wanted: dict[str, Any] = {
        name: {} for name, check in BUILT_IN.items() if not _required(check.params)
    } | dict(given)
    planned: list[Planned] = []
    for name, settings in wanted.items():
        if settings is False or settings == "off":
            if name in SESSION:
                problems.append(f"{path}.{name}: every session has this step; it cannot be off")
            continue
        try:
            planned.append(_planned(finder(name), settings))
        except LookupError as error:
            problems.append(f"{path}.{name}: {error.args[0]}")
        except ValidationError as error:
            keys = ["effect", *(each.name for each in fields(finder(name).params))]
            problems.extend(f"{path}.{name}.{problem}" for problem in _problems(error, keys))
        except ValueError as error:  # the check's own objection to its settings
            problems.append(f"{path}.{name}: {error}")
    order = [*BUILT_IN]
    middle = order.index("unbind") - 0.5  # third parties' checks come before unbind
    return tuple(
        sorted(
            planned,
            key=lambda p: order.index(p.check.name) if p.check.name in order else middle,
        )
    )


def _required(params: type[Any]) -> bool:
    return any(f.default is MISSING and f.default_factory is MISSING for f in fields(params))


def _planned(check: Check, settings: Any) -> Planned:
    model = create_model(
        check.name,
        __base__=_shape(check.params),
        effect=(Effect, Field(check.effect, strict=False)),
    )
    found: Any = model.model_validate({} if settings in (None, True) else settings)
    return Planned(check, _built(check.params, found), found.effect)


def _range(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError('a range is a number or a text such as "1:"')  # noqa: TRY004  pydantic's
    return parse_range(value)


RANGE_SCHEMA = WithJsonSchema({"type": ["string", "number"], "description": "a Nagios range"})
_RangeField = Annotated[Any, BeforeValidator(_range), RANGE_SCHEMA]


def _shape(params: type[Any]) -> type[BaseModel]:
    """Return a model with the fields of a plain dataclass, so that checks need no pydantic."""
    hints = get_type_hints(params)
    shapes: dict[str, Any] = {}
    for each in fields(params):
        default = ... if each.default is MISSING else each.default
        about = Field(default, description=each.metadata.get("doc"))
        shapes[each.name] = (_translated(hints[each.name]), about)
    return create_model(params.__qualname__, __base__=_Strict, **shapes)


def _translated(kind: Any) -> Any:
    if kind in (Range, Range | None):
        return _RangeField
    if get_origin(kind) is tuple:
        return list[_translated(get_args(kind)[0])]  # type: ignore[misc]
    if is_dataclass(kind):
        return _shape(kind)  # type: ignore[arg-type]
    return kind


def _built(params: type[Any], given: Any) -> Any:
    """Return the dataclass that a model stands for; its own objections become problems."""
    if not isinstance(given, BaseModel):
        return given
    values = {}
    for each in fields(params):
        if each.name not in given.model_fields_set:
            continue
        value = getattr(given, each.name)
        hint = get_type_hints(params)[each.name]
        if get_origin(hint) is tuple:
            value = tuple(_built(get_args(hint)[0], item) for item in value)
        values[each.name] = _built(hint, value)
    return params(**values)
