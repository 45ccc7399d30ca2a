"""A shard: one of several agents that divide the clusters of one configuration. Pure.

Each cluster belongs to one shard by the hash of its name, so that no agent needs to ask another.
Jump consistent hash (Lamping and Veach, 2014): with one more shard only the clusters move that the
new one gets.
"""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

MOST_SHARDS = 256
PREFIX = "shard-"  # of the name of a directory of one shard
MULTIPLIER, BITS = 2862933555777941757, 64  # of the paper's generator
FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


class Shard(Struct, frozen=True):
    """Shard `index` of `count`, from 1 on. The only one of one is the agent of all clusters."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def is_whole(self) -> bool:
        """Return whether it has all clusters."""
        return self.count == 1

    def holds(self, cluster: str) -> bool:
        """Return whether a cluster belongs to this shard."""
        return self.index == shard_of(cluster, self.count).index

    def below(self, directory: Path) -> Path:
        """Return its own directory below one that all share; without others that one.

        The name has no count: what is in it stays with a shard when there are more of them.
        """
        return directory if self.is_whole else directory / f"{PREFIX}{self.index}"

    def above(self, own: Path) -> Path:
        """Return the directory that all share, of its own one."""
        return own if self.is_whole else own.parent


WHOLE = Shard()


def shard_of(cluster: str, count: int) -> Shard:
    """Return the one of `count` shards that a cluster belongs to."""
    if count == 1:
        return WHOLE
    # 3 ms, for its OpenSSL, which commands without shards need not wait for.
    from hashlib import blake2b  # noqa: PLC0415

    digest = blake2b(cluster.encode("utf-8", "surrogateescape"), digest_size=BITS // 8).digest()
    key, last, jump = int.from_bytes(digest), 0, 1
    while jump <= count:
        last = jump
        key = (key * MULTIPLIER + 1) % (1 << BITS)
        jump = 1 + (last << 31) // ((key >> 33) + 1)
    return Shard(last, count)


def shards_of(count: int) -> tuple[Shard, ...]:
    """Return all of `count` shards."""
    return tuple(Shard(index, count) for index in range(1, count + 1))


def shard_named(text: str) -> Shard:
    """Return the shard of a text such as `2/4`. ValueError: one line with what is wrong."""
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not I/N, such as 2/4 for the second of four shards")
    index, count = int(found[1]), int(found[2])
    if not 1 <= count <= MOST_SHARDS:
        raise ValueError(f"{text!r}: there can be 1 to {MOST_SHARDS} shards")
    if not 1 <= index <= count:
        raise ValueError(
            f"{text!r}: of {count} shards the first is 1/{count}, the last {count}/{count}"
        )
    return Shard(index, count)
