"""What reads input of others refuses it as documented, in bounded time and memory.

`make fuzz MINUTES=60` tries for long. An input that fails is written to build/fuzz; once the cause
is mended, it belongs into tests/fuzz/corpus, in the directory of its target.
"""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path
from time import monotonic, thread_time

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
FAILED = Path(__file__).parents[2] / "build" / "fuzz"
MOST_SECONDS = 0.5  # of CPU, for one input of at most 20 kB
MOST_KIB = 64 * 1024  # more than before, after all inputs of a target
EXAMPLES = 200
SLOW = {"script": 20}  # starts a process for each
BATCH = 1000

KEPT = [
    pytest.param(path, id=f"{path.parent.name}-{path.name}") for path in sorted(CORPUS.glob("*/*"))
]


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def feed(name: str, data: bytes) -> None:
    """Let the target read the input; one that it does not refuse as documented is written down."""
    began = thread_time()
    try:
        TARGETS[name](data)
        assert thread_time() - began < MOST_SECONDS
    except BaseException:
        FAILED.mkdir(parents=True, exist_ok=True)
        (FAILED / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
        raise


def feed_random(name: str, examples: int, number: int) -> None:
    """Feed so many random inputs; another number gives others."""
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=[*HealthCheck],
        phases=[Phase.generate, Phase.shrink],
    )
    @given(mutated(seeds))
    def run(data: bytes) -> None:
        feed(name, data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_random_input_is_taken_or_refused_as_documented(
    name: str, request: pytest.FixtureRequest
) -> None:
    ends_at = monotonic() + request.config.getoption("--fuzz-minutes") * 60 / len(TARGETS)
    before_kib, number, batch = peak_kib(), 0, SLOW.get(name, BATCH)
    feed_random(name, SLOW.get(name, EXAMPLES), number)
    while monotonic() < ends_at:
        number += 1
        feed_random(name, batch, number)
    request.node.user_properties.append(("random inputs", number * batch))

    assert peak_kib() - before_kib < MOST_KIB


@pytest.mark.parametrize("path", KEPT)
def test_a_kept_input_is_taken_or_refused_as_documented(path: Path) -> None:
    before_kib = peak_kib()
    feed(path.parent.name, path.read_bytes())

    assert peak_kib() - before_kib < MOST_KIB


def test_the_corpus_is_small() -> None:
    sizes = [path.stat().st_size for path in CORPUS.glob("*/*")]

    assert sizes
    assert sum(sizes) < 256 * 1024
