"""The part of a configuration that a shard uses: its clusters, and ports of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.config import load
from ldaphealth.settings import Settings
from ldaphealth.shard import WHOLE, Shard, shard_of, shards_of

CLUSTERS = "clusters:\n" + "".join(
    f"  {name}: {{servers: {{s: 'ldap://127.0.0.1:1'}}}}\n" for name in ("c", "d", "e", "f", "g")
)


def read(directory: Path, agent: str) -> Settings:
    path = directory / "ldaphealth.yaml"
    path.write_text(f"agent: {agent}\n{CLUSTERS}")
    return load(path)


def test_each_shard_has_its_clusters_in_the_order_of_the_file(tmp_path: Path) -> None:
    whole = read(tmp_path, "{}")
    parts = [whole.of(each) for each in shards_of(3)]

    assert [[*each.clusters] for each in parts] == [
        [name for name in whole.clusters if shard_of(name, 3) == each.shard] for each in parts
    ]
    assert sum(len(each.clusters) for each in parts) == 5


def test_the_only_one_of_one_has_the_settings_of_the_file(tmp_path: Path) -> None:
    whole = read(tmp_path, "{http: {}}")

    assert whole.of(WHOLE) is whole
    assert whole.own_socket_path == Path("/run/ldaphealth/agent.sock")


def test_the_paths_that_others_read_are_the_same_and_its_own_are_below(tmp_path: Path) -> None:
    whole = read(tmp_path, "{}")
    part = whole.of(Shard(2, 4))

    assert part.agent == whole.agent
    assert part.own_socket_path == Path("/run/ldaphealth/shard-2/agent.sock")
    assert part.own_state_directory == Path("/var/lib/ldaphealth/shard-2")


def test_each_shard_listens_on_ports_of_its_own(tmp_path: Path) -> None:
    whole = read(tmp_path, "{http: {listen: '[::]:8380'}, haproxy: {}}")
    agents = [whole.of(each).agent for each in shards_of(3)]

    assert [str(each.http.listen) for each in agents if each.http] == [
        "[::]:8380",
        "[::]:8381",
        "[::]:8382",
    ]
    assert [each.haproxy.listen.port for each in agents if each.haproxy] == [8390, 8391, 8392]


def test_a_shard_with_a_host_of_its_own_listens_as_the_file_says(tmp_path: Path) -> None:
    whole = read(tmp_path, "{http: {}, haproxy: {}}")  # on ports that shards could not share

    assert whole.of(Shard(2, 4), own_host=True).agent == whole.agent
    assert whole.of(Shard(2, 4), own_host=True).shard == Shard(2, 4)


@pytest.mark.parametrize(
    ("agent", "problem"),
    [
        (
            "{http: {}, haproxy: {}}",
            "2 shards would use the ports 8389 to 8390 for http and 8390 to 8391 for haproxy",
        ),
        (
            "{http: {listen: '127.0.0.1:65535'}}",
            "2 shards listen on as many ports, from that of the file on, and after port 65535",
        ),
    ],
)
def test_ports_that_do_not_suffice_are_refused_by_every_shard(
    tmp_path: Path, agent: str, problem: str
) -> None:
    whole = read(tmp_path, agent)

    for each in shards_of(2):
        with pytest.raises(ValueError, match=problem):
            whole.of(each)
