"""Which entries differ, and which of those only seem to because a change is on its way: pure.

Looks follow each other; between two of them every server was seen to receive what any of them had
at the first. The first look goes by entryUUID, because a range of those can be asked for. The
others go by DN: that is what clients ask for, and a server finds it without an index that may be
stale, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from uuid import UUID

from msgspec import Struct

Shown = Mapping[int, tuple[str, str]]  # what one server shows: entryCSN and DN by entryUUID


class EntryVersion(Struct, frozen=True, order=True):
    """What one server shows at a DN; two are the same entry in the same state if they are equal.

    The entryUUID is part of it: the same DN may be of two entries that know nothing of each other.
    """

    entry_uuid: str
    entry_csn: str


EntryVersions = Mapping[
    str, EntryVersion | None
]  # by server ID; None: the server has no such entry


class Difference(Struct, frozen=True):
    """An entry that stays different: what the servers have that have it, and who lacks it."""

    dn: str
    versions: Mapping[str, EntryVersion]
    missing: tuple[str, ...] = ()

    @property
    def all_versions(self) -> EntryVersions:
        """Return what each of the servers has, or None."""
        return {**self.versions, **dict.fromkeys(self.missing)}

    @property
    def servers(self) -> frozenset[str]:
        """Return the servers that were compared."""
        return frozenset((*self.versions, *self.missing))

    @property
    def odd(self) -> frozenset[str]:
        """Return the servers that hold something else than most; empty without a majority."""
        return odd(self.all_versions)


class LookAgainOutcome(Struct, frozen=True):
    """What a look showed: entries that stay different, and those that changed meanwhile."""

    different: tuple[Difference, ...]
    moving: Mapping[str, EntryVersions]


def differing(seen: Mapping[str, Shown]) -> dict[str, EntryVersions]:
    """Return the versions, by DN, of the entries that not all servers show alike."""
    first, *others = seen.values()
    uuids: set[int] = set()
    for other in others:
        uuids.update(uuid for uuid, _ in first.items() ^ other.items())
    named: dict[str, tuple[str, dict[str, EntryVersion | None]]] = {}
    for uuid in sorted(uuids):
        for server, shown in seen.items():
            if uuid in shown:
                csn, dn = shown[uuid]
                blank: dict[str, EntryVersion | None] = dict.fromkeys(seen)
                _, versions = named.setdefault(dn.casefold(), (dn, blank))
                versions[server] = EntryVersion(str(UUID(int=uuid)), csn)
    return dict(named.values())


def second_look(
    before: Mapping[str, EntryVersions], now: Mapping[str, Mapping[str, EntryVersion]]
) -> LookAgainOutcome:
    """Judge the entries that differed before, by what the servers (of `now`) show by DN.

    The same difference twice, with all changes received in between, is none that is on its way. An
    entry of which any server shows another version than before is in motion: no opinion, look
    again. That holds without comparing an entryCSN with any contextCSN, so it also finds what was
    changed behind the server's back (slapmodify, a restored file).
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
    return LookAgainOutcome(tuple(different), moving)


def belongs(difference: Difference, low: int, high: int) -> bool:
    """Tell whether a range of entryUUIDs has the least of a difference.

    One DN with two entryUUIDs is found in two ranges, and should be told once.
    """
    least = min(UUID(version.entry_uuid).int for version in difference.versions.values())
    return low <= least <= high


def narrowed_to(difference: Difference, servers: Collection[str]) -> Difference | None:
    """Return what is left of a difference among these servers; None: they have the same."""
    versions = {each: of for each, of in difference.versions.items() if each in servers}
    missing = tuple(each for each in difference.missing if each in servers)
    if len({*versions.values()}) + bool(missing) < 2:  # noqa: PLR2004  else nothing differs
        return None
    return Difference(difference.dn, versions, missing)


def odd(versions: EntryVersions) -> frozenset[str]:
    """Return the servers with another version than more than half; empty when there is no such."""
    ((version, count),) = Counter(versions.values()).most_common(1)
    if 2 * count <= len(versions):
        return frozenset()
    return frozenset(server for server, each in versions.items() if each != version)
