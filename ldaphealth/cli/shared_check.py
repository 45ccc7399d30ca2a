"""`ldaphealth check --format keepalived`: one probe of a cluster for all checks of that moment.

Without an agent keepalived starts this program for every server, and each verdict needs a probe of
the whole cluster. So the processes share one. Where they cannot, each one probes a few servers.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from msgspec.structs import replace

from ldaphealth.cli.process_age import age_seconds, with_time_left
from ldaphealth.cli.selection import Selection
from ldaphealth.clocks import boot_seconds
from ldaphealth.model import Snapshot
from ldaphealth.publishers.shared_verdicts import SharedVerdicts, settings_mark
from ldaphealth.settings import AgentSettings
from ldaphealth.sinks import SINKS, SinkOptions, SinkOutput

# keepalived/ldaphealth-check sets it to the directory in which it reads shared verdicts.
VARIABLE = "LDAPHEALTH_SHARED"
SINK = SINKS["keepalived"]
WAIT_SECONDS = 0.5  # after the deadline of the process that probes, for its verdicts
# With so many other servers, a probe that is not shared costs little, and shows whether the network
# of this host or a server is at fault.
WITNESSES = 7


def check_shared(selection: Selection, config_file: Path, *, dynamic: bool) -> SinkOutput:
    """Return the verdict on the one selected server: that of another process, or its own."""
    options = SinkOptions(dynamic=dynamic)
    (cluster,), (server,) = selection.clusters, selection.servers
    if selection.settings is None:  # given as a URL: there are no others
        return SINK.render(_evaluate(selection), options)
    try:
        shared = _open_shared(selection.settings.agent, cluster.name, settings_mark(config_file))
        found = shared.wait(server, age_seconds, cluster.deadline_seconds + WAIT_SECONDS)
    except OSError as error:
        return SINK.render(_check_alone(selection, server, error), options)
    if found is not None:
        status = found.dynamic if dynamic else found.plain
        return SinkOutput(f"{status} {server} {found.rest}", status)
    snapshot = _evaluate(replace(selection, servers=frozenset(each.id for each in cluster.servers)))
    try:
        shared.write(snapshot.verdicts, boot_seconds())
    except OSError as error:
        click.echo(f"ldaphealth: cannot share the verdicts: {error}", err=True)
    return SINK.render(_only(snapshot, server), options)


def _open_shared(settings: AgentSettings, cluster: str, mark: str) -> SharedVerdicts:
    """Open the directory of the shared verdicts in that of the script, or in one of the agent's.

    The runtime directory is made where it is missing, as the agent does. OSError: none can be used.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return SharedVerdicts(Path(given), cluster, mark)
    try:
        if not settings.runtime_directory.exists():
            settings.runtime_directory.mkdir()
            settings.runtime_directory.chmod(0o755)  # independent of the umask
        return SharedVerdicts(settings.runtime_directory, cluster, mark)
    except OSError as error:
        try:
            return SharedVerdicts(settings.state_directory, cluster, mark)
        except OSError:
            raise error from None


def _check_alone(selection: Selection, server: str, error: OSError) -> Snapshot:
    """Probe the server and a few others, and remove it only for a hard failure if there are more.

    Soft failures must leave `min_in_service` servers, which a few servers cannot show.
    """
    from random import sample

    (cluster,) = selection.clusters
    others = [each.id for each in cluster.servers if each.id != server]
    probed = frozenset((server, *sample(others, min(WITNESSES, len(others)))))
    if len(probed) < len(cluster.servers):
        why = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(
            f"ldaphealth: cannot share one probe of {cluster.name} with other checks: {why}; "
            f"probing {server} and {WITNESSES} others, which shows hard failures only",
            err=True,
        )
        cluster = replace(cluster, min_in_service=len(cluster.servers))
    return _only(_evaluate(replace(selection, clusters=[cluster]), probed), server)


def _evaluate(selection: Selection, probed: frozenset[str] | None = None) -> Snapshot:
    from ldaphealth.cli.evaluation import evaluate_selection  # ldap3, not needed to wait

    clusters = [with_time_left(each) for each in selection.clusters]
    selection = replace(selection, clusters=clusters)
    return evaluate_selection(selection, SINK.effects, probed, is_repeated=SINK.is_repeated)


def _only(snapshot: Snapshot, server: str) -> Snapshot:
    return replace(
        snapshot, verdicts=tuple(each for each in snapshot.verdicts if each.server == server)
    )
