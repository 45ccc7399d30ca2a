"""The texts of five situations are as in the files beside, and each leads to a next step."""

from __future__ import annotations

import pytest

from ldaphealth.reason_codes import ROWS
from ldaphealth.remedies import values_of
from ldaphealth.text.command_template import with_values
from tests.golden.situations import CLUSTER, FOLDER, PROBLEMS, WIDTH, texts


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return texts()


@pytest.mark.parametrize("name", [*PROBLEMS, "dead"])
def test_the_text_is_the_one_in_the_file(made: dict[str, str], name: str) -> None:
    assert made[name] == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_situation_leads_to_what_mends_it(made: dict[str, str], name: str) -> None:
    problem, text = PROBLEMS[name], made[name]
    words = " ".join(text.split())

    assert "what to do: ldaphealth explain c/" in text
    server = next(each for each in CLUSTER.servers if each.name in problem.servers)
    values = values_of(CLUSTER, server, problem.check)
    remedy = with_values(ROWS[problem.code].template, values)
    assert " ".join(remedy.split()) in words
    status = text.partition("$ ldaphealth explain")[0].splitlines()
    assert status[-2].startswith(("3 of 4", "4 of 4"))
    assert f"{problem.check}.{problem.code}" in " ".join(status[-3:])
    assert all(len(line) <= WIDTH for line in status)
    plugin = text.partition("$ check_ldaphealth --agent --cluster c\n")[2].splitlines()[0]
    assert f"{problem.check}.{problem.code}"[:20] in plugin[:WIDTH]


def test_a_dead_agent_has_the_next_step_and_what_happens_meanwhile(made: dict[str, str]) -> None:
    for words in ("systemctl start ldaphealth-agent", "journalctl -u", "`ldaphealth check` shows"):
        assert made["dead"].count(words) == 2
    assert "give its configuration with --config" in made["dead"]
