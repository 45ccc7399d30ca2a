"""Which entries differ, and which of them only until a change arrives. Pure.

An entry that differs is rechecked after every server has received what any of them had before. The
first comparison is by entryUUID, because a range of these can be searched for. A recheck is by DN,
as clients read entries; a server finds a DN without an index that may be stale, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

Shown = Mapping[int, tuple[str, str, str]]  # by entryUUID: entryCSN, DN, and digest of the values


class EntryVersion(Struct, frozen=True, order=True):
    """The version of an entry at a DN; equal versions are the same entry in the same state.

    The entryUUID is part of it, because two different entries may have the same DN. `values` is the
    digest of the values (values.py), "" if they are not compared.
    """

    entry_uuid: str
    entry_csn: str
    values: str = ""


EntryVersions = Mapping[str, EntryVersion | None]  # by server ID; None: no such entry there


class Difference(Struct, frozen=True):
    """An entry that remains different: its versions by server ID, and the servers that lack it.

    `attributes` are those whose values differ although the entryCSN is the same.
    """

    dn: str
    versions: Mapping[str, EntryVersion]
    missing: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()

    @property
    def all_versions(self) -> EntryVersions:
        """Return the version of each server, None if it lacks the entry."""
        return {**self.versions, **dict.fromkeys(self.missing)}

    @property
    def servers(self) -> frozenset[str]:
        """Return the servers that were compared."""
        return frozenset((*self.versions, *self.missing))

    @property
    def odd(self) -> frozenset[str]:
        """Return the servers with another version than most; empty without a majority."""
        return odd(self.all_versions)


class RecheckResult(Struct, frozen=True):
    """The result of a recheck: entries that remain different, and those that have changed."""

    different: tuple[Difference, ...]
    moving: Mapping[str, EntryVersions]


def differing(seen: Mapping[str, Shown]) -> dict[str, EntryVersions]:
    """Return the versions, by DN, of the entries that differ between the servers."""
    first, *others = seen.values()
    uuids: set[int] = set()
    for other in others:
        uuids.update(uuid for uuid, _ in first.items() ^ other.items())
    named: dict[str, tuple[str, dict[str, EntryVersion | None]]] = {}
    for uuid in sorted(uuids):
        for server, shown in seen.items():
            if uuid in shown:
                csn, dn, values = shown[uuid]
                blank: dict[str, EntryVersion | None] = dict.fromkeys(seen)
                _, versions = named.setdefault(dn.casefold(), (dn, blank))
                versions[server] = EntryVersion(str(UUID(int=uuid)), csn, values)
    return dict(named.values())


def recheck(
    before: Mapping[str, EntryVersions], now: Mapping[str, Mapping[str, EntryVersion]]
) -> RecheckResult:
    """Compare the entries that differed before, by their versions now, by server ID and DN.

    The same difference twice, with all changes received in between, is not a change in transit. An
    entry of which any server shows another version than before is moving, and must be rechecked.
    entryCSNs are not compared with contextCSN, so this also finds changes that bypassed slapd
    (slapmodify, a restored file).
    """
    different: list[Difference] = []
    moving: dict[str, EntryVersions] = {}
    for dn, old in before.items():
        new = {server: shown.get(dn) for server, shown in now.items()}
        if len(set(new.values())) <= 1:
            continue
        if any(old.get(server) != version for server, version in new.items()):
            moving[dn] = new
        else:
            here = {server: version for server, version in new.items() if version is not None}
            missing = tuple(server for server, version in new.items() if version is None)
            different.append(Difference(dn, here, missing))
    return RecheckResult(tuple(different), moving)


Digests = Mapping[str, Mapping[str, Mapping[str, str]]]  # by server ID, DN and attribute


def differing_attributes(shown: Digests) -> dict[str, tuple[str, ...]]:
    """Return the attributes whose values differ between the servers that have the entry, by DN."""
    found: dict[str, tuple[str, ...]] = {}
    for dn in {dn for entries in shown.values() for dn in entries}:
        versions = [entries[dn] for entries in shown.values() if dn in entries]
        names = {name for version in versions for name in version}
        found[dn] = tuple(
            name for name in sorted(names) if len({each.get(name) for each in versions}) > 1
        )
    return found


def absent_attributes(server: str, shown: Digests) -> list[tuple[str, str]]:
    """Return the pairs of a DN and an attribute that only other servers show."""
    return [
        (dn, name)
        for dn, names in differing_attributes(shown).items()
        if dn in shown[server]
        for name in names
        if name not in shown[server][dn]
    ]


def is_within(difference: Difference, low: int, high: int) -> bool:
    """Return whether the least entryUUID of a difference is in a range.

    A DN with two entryUUIDs is found in two ranges, but must be reported once.
    """
    least = min(UUID(version.entry_uuid).int for version in difference.versions.values())
    return low <= least <= high


def narrowed_to(difference: Difference, servers: Collection[str]) -> Difference | None:
    """Return the difference among these servers only, None if they have the same version."""
    versions = {each: of for each, of in difference.versions.items() if each in servers}
    missing = tuple(each for each in difference.missing if each in servers)
    if len({*versions.values()}) + bool(missing) < 2:  # noqa: PLR2004  else nothing differs
        return None
    return replace(difference, versions=versions, missing=missing)


def differs_in_values(versions: EntryVersions) -> bool:
    """Return whether two servers show other values under the same entryUUID and entryCSN."""
    shown = {version for version in versions.values() if version is not None}
    return len({(each.entry_uuid, each.entry_csn) for each in shown}) < len(shown)


def odd(versions: EntryVersions) -> frozenset[str]:
    """Return the servers without the version of the majority; empty without a majority."""
    ((version, count),) = Counter(versions.values()).most_common(1)
    if 2 * count <= len(versions):
        return frozenset()
    return frozenset(server for server, each in versions.items() if each != version)
