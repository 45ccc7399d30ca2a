"""The examinations of this host: the agent, its directories, files and modes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ldaphealth.doctor.facts import Gathered, LocalAgent
from ldaphealth.doctor.host_files import HostFile
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.doctor.steps import UNIT, command
from ldaphealth.files.own_directory import WRITABLE

FOR_OTHERS = 0o007
FOR_GROUP = 0o040
NO_AGENT_WHY = (
    "without an agent nothing is remembered from one check to the next: no drain is kept up to "
    "date, no server is compared over time, and each check of keepalived probes by itself"
)
START = tuple(
    Step("command", each)
    for each in (
        f"systemctl status {UNIT}",
        f"journalctl -u {UNIT} -n 20 --no-pager",
        f"systemctl restart {UNIT}",
    )
)


def examine_agent(facts: Gathered) -> Examined:
    """Return why no agent answers with the verdicts of this configuration."""
    agent = facts.agent
    socket = str(facts.agent_settings.socket_path)
    problems = [*_two_agents(facts)]
    if agent.state == "none" and not problems:
        problems.append(_no_agent(facts, socket))
    elif agent.state == "unknown":
        problems.append(_no_answer(agent, socket))
    elif agent.state == "answers":
        problems += _other_servers(facts, socket)
    return Examined(tuple(problems), f"it answers on {socket}")


def _no_agent(facts: Gathered, socket: str) -> Problem:
    breaks = facts.agent_settings.track_files
    return Problem(
        importance=Importance.BREAKS if breaks else Importance.MEND,
        code="agent.not_running",
        where=(socket,),
        what=f"the agent does not run: {facts.agent.detail}",
        why="the files of `track_files` keep the last verdict" if breaks else NO_AGENT_WHY,
        remedy=f"see why it ended, then start it. If there is no unit {UNIT}, `ldaphealth generate "
        "systemd` prints one",
        steps=START,
    )


def _no_answer(agent: LocalAgent, socket: str) -> Problem:
    return Problem(
        importance=Importance.MEND,
        code="agent.no_answer",
        where=(socket,),
        what=f"whether the agent runs is not known: {agent.detail}",
        why="only the user of the agent and the members of `agent.socket_group` may use the socket",
        remedy="run `ldaphealth doctor` as root or as the user of the agent",
    )


def _two_agents(facts: Gathered) -> Iterator[Problem]:
    """Yield a problem if another process than the agent of the socket holds a directory.

    That agent holds the runtime directory, unless the socket shows that there is none.
    """
    agent, settings = facts.agent, facts.agent_settings
    own = None if agent.state == "none" else agent.holders.get(str(settings.runtime_directory))
    for directory, process in agent.holders.items():
        if process == own or (own is None and agent.state != "none"):
            continue
        yield Problem(
            importance=Importance.BREAKS,
            code="agent.two",
            where=(directory,),
            what=f"process {process} holds {directory}/agent.lock, and is not an agent that "
            f"answers on {settings.socket_path}: another agent uses the directory, or one hangs",
            why="two agents would replace each other's state and verdicts, so the second one does "
            "not start",
            remedy="end one of them, or give it an `agent.runtime_directory` and an "
            "`agent.state_directory` of its own",
            steps=(Step("command", command("ps", "-o", "pid,user,args", "-p", str(process))),),
        )


def _other_servers(facts: Gathered, socket: str) -> Iterator[Problem]:
    wanted = {
        server.id
        for each in facts.clusters
        for server in each.cluster.servers
        if any(shard.holds(each.cluster.name) for shard in facts.agent.shards)
    }
    if wanted == facts.agent.servers:
        return
    missing, more = sorted(wanted - facts.agent.servers), sorted(facts.agent.servers - wanted)
    parts = [
        f"{words} {', '.join(servers[:5])}"
        for words, servers in (("it does not check", missing), ("it still checks", more))
        if servers
    ]
    yield Problem(
        importance=Importance.BREAKS if missing else Importance.MEND,
        code="agent.other_configuration",
        where=(socket,),
        what=f"the agent runs with other servers than the file: {'; '.join(parts)}",
        why="the file was changed and not loaded again, or the agent has another file",
        remedy="reload the agent",
        steps=(Step("command", f"systemctl reload {UNIT}"),),
    )


def examine_files(facts: Gathered) -> Examined:
    """Return files that others can change or read, of the wrong owner, or set aside as damaged."""
    found = [each for each in facts.files if each.exists or each.problem]
    owner = _agent_user(found)
    problems = [problem for each in found for problem in _of_file(each, owner)]
    if owner is not None and facts.agent.state != "answers":
        problems += [_not_for_agent(each, owner) for each in found if _is_hidden_from(each, owner)]
    return Examined(tuple(problems), f"files and directories: {len(found)}")


def _agent_user(found: list[HostFile]) -> HostFile | None:
    """Return the file that shows the user of the agent: its state directory, else the runtime."""
    by_use = {each.use: each for each in reversed(found) if each.is_directory}
    return by_use.get("state") or by_use.get("runtime")


def _of_file(each: HostFile, agent: HostFile | None) -> Iterator[Problem]:
    path = each.path
    if each.problem:
        why = "its owner and mode are not known"
        remedy = "run `ldaphealth doctor` as root or as the user of the agent"
        yield _problem("unknown", path, each.problem, why, remedy)
        return
    if each.use == "damaged":
        yield _problem(
            "damaged",
            path,
            "the agent found this file damaged and set it aside",
            "what was in it, such as overrides or the history, is not used",
            "find out why: a full disk, a crash of the machine; then delete it",
            (Step("command", command("rm", path)),),
        )
        return
    if each.use in ("runtime", "state", "record") and agent is not None:
        yield from _owner(each, agent)
    if each.use != "password" and each.mode & WRITABLE:
        yield _problem(
            "writable",
            path,
            f"others can write to it (mode {each.mode:04o})",
            "another user could plant a verdict, or change what the agent remembers",
            "take the permission away",
            (Step("command", command("chmod", "go-w", path)),),
            Importance.BREAKS,
        )
    if each.use == "key" and each.mode & FOR_OTHERS:
        yield _problem(
            "readable",
            path,
            f"every user can read the private key (mode {each.mode:04o})",
            "another user could bind with the client certificate of the agent",
            "take the permission away",
            (Step("command", command("chmod", "o-rwx", path)),),
        )


def _is_hidden_from(each: HostFile, agent: HostFile) -> bool:
    """Return whether the user of the agent can certainly not read a password or key."""
    is_secret = each.use in ("password", "key") and not each.problem
    return is_secret and agent.owner not in {0, each.owner} and not each.mode & FOR_GROUP


def _not_for_agent(each: HostFile, agent: HostFile) -> Problem:
    return _problem(
        "unreadable",
        each.path,
        f"{agent.owner_name}, the user of the agent, cannot read it: it belongs to "
        f"{each.owner_name}, and only that user may read it",
        "the agent does not start, unless its unit passes the file with LoadCredential=",
        "give it to the user of the agent, or pass it (docs/agent.md)",
        (Step("command", command("chown", agent.owner_name, each.path)),),
    )


def _owner(each: HostFile, agent: HostFile) -> Iterator[Problem]:
    if each.owner in {agent.owner, 0} and (each.is_directory or each.owner == agent.owner):
        return
    yield _problem(
        "owner",
        each.path,
        f"it belongs to {each.owner_name}, and {Path(agent.path)} to {agent.owner_name}",
        "the agent does not start with directories, and cannot replace files, of another user",
        "give it to the user of the agent",
        (Step("command", command("chown", agent.owner_name, each.path)),),
        Importance.BREAKS,
    )


def _problem(  # noqa: PLR0913, PLR0917  those of a problem
    code: str,
    path: str,
    what: str,
    why: str,
    remedy: str,
    steps: tuple[Step, ...] = (),
    importance: Importance = Importance.MEND,
) -> Problem:
    return Problem(
        importance=importance,
        code=f"files.{code}",
        where=(path,),
        what=what,
        why=why,
        remedy=remedy,
        steps=steps,
    )
