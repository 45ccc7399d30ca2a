"""Every metric in one literal table; the collector, the dashboard and docs/metrics.md follow it.

A metric of one's own is a row here and, if need be, a reading in readings.py.
"""

from __future__ import annotations

from typing import Any

from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveServer
from ldaphealth.prometheus import readings
from ldaphealth.prometheus.family import SERVER, Family, MetricType, Probed, ScrapedServer
from ldaphealth.prometheus.readings import one

COUNTER, GAUGE, HISTOGRAM, INFO = (
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.HISTOGRAM,
    MetricType.INFO,
)
SINCE = "since the agent began"

# Of the verdict on a server; left out once it does not hold any more.
VERDICT: tuple[Family[LiveServer], ...] = (
    Family(
        name="ldaphealth_server_in_service",
        kind=GAUGE,
        help="1 while the verdict is that the server is in service, 0 while it is out.",
        read=readings.of_verdict(lambda verdict: verdict.in_service),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_weight",
        kind=GAUGE,
        help="The weight that balancers are told; 0 when the server is out of service.",
        read=readings.of_verdict(lambda verdict: verdict.weight),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_draining",
        kind=GAUGE,
        help="1 while an operator drains the server: no new connections, open ones may go on.",
        read=readings.of_verdict(lambda verdict: verdict.draining),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_unchanged_seconds",
        kind=GAUGE,
        help="For how long the server had been in service, or out of it, at the latest decision.",
        read=readings.of_verdict(lambda verdict: verdict.lasted_seconds),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_state",
        kind=GAUGE,
        help="1 for the worst state of all findings on the server, 0 for the other three states.",
        read=readings.states,
        labels=(*SERVER, "state"),
    ),
    Family(
        name="ldaphealth_server_held",
        kind=GAUGE,
        help="1 for the rule that overrode the plain reading of the findings, 0 for the others.",
        read=readings.holds,
        labels=(*SERVER, "held_by"),
    ),
    Family(
        name="ldaphealth_check_severity",
        kind=GAUGE,
        help="The worst finding of a check: 0 OK, 1 unknown, 2 warning, 3 critical.",
        read=readings.severities,
        labels=(*SERVER, "check"),
    ),
    Family(
        name="ldaphealth_reason_severity",
        kind=GAUGE,
        help="Why the server is not well, by stable code, as severe as in "
        "ldaphealth_check_severity; a reason that is gone has no series.",
        read=readings.reasons,
        labels=(*SERVER, "code"),
    ),
    Family(
        name="ldaphealth_replication_behind_seconds",
        kind=GAUGE,
        help="For how long the server was seen to lack changes of a server ID; 0 when it lacks "
        "none. The suffix is empty where a cluster has only one.",
        read=readings.of_server_ids("behind_seconds"),
        labels=(*SERVER, "server_id", "suffix"),
    ),
    Family(
        name="ldaphealth_replication_csn_gap_seconds",
        kind=GAUGE,
        help="The newest CSN of a server ID minus the server's own: the time between two writes, "
        "and no lateness; after an idle day one write makes a day.",
        read=readings.of_server_ids("csn_gap_seconds"),
        labels=(*SERVER, "server_id", "suffix"),
    ),
    Family(
        name="ldaphealth_replication_propagation_seconds",
        kind=GAUGE,
        help="How long a change that was written on one provider took to appear on the server.",
        read=readings.measured("propagation", "propagation_seconds"),
        labels=(*SERVER, "provider"),
    ),
    Family(
        name="ldaphealth_consumer_link_connected",
        kind=GAUGE,
        help="1 while slapd says that a link which it replicates by is connected; a link that only "
        "polls (refreshOnly) is not, between two polls.",
        read=readings.links,
        labels=(*SERVER, "provider"),
    ),
    Family(
        name="ldaphealth_consumer_link_silent_seconds",
        kind=GAUGE,
        help="For how long slapd was seen to hear nothing on a connected link, in the last 64 "
        "looks; on an idle cluster this is ordinary.",
        read=readings.measured("consumer", "silent_seconds"),
        labels=(*SERVER, "provider"),
    ),
    Family(
        name="ldaphealth_slapd_operations_completed_total",
        kind=COUNTER,
        help="Operations that slapd completed since it started (cn=Operations,cn=Monitor), the "
        "agent's included; it begins anew when slapd does.",
        read=readings.completed_operations,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_slapd_pending_operations",
        kind=GAUGE,
        help="Operations that waited for a thread of slapd at the latest look.",
        read=readings.resource(lambda facts: facts.pending_operations),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_slapd_connections_ratio",
        kind=GAUGE,
        help="Open connections, of the descriptors that slapd may have.",
        read=readings.resource(lambda facts: facts.connections_ratio),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_slapd_database_ratio",
        kind=GAUGE,
        help="Pages in use, of the largest size of an MDB database.",
        read=readings.database(lambda each: each.database_ratio),
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name="ldaphealth_slapd_readers_ratio",
        kind=GAUGE,
        help="Reader slots in use, of those of an MDB database.",
        read=readings.database(lambda each: each.readers_ratio),
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name="ldaphealth_certificate_expiry_timestamp_seconds",
        kind=GAUGE,
        help="When the certificate that the server presented expires.",
        read=readings.certificate_expiry,
        labels=SERVER,
    ),
)

# Of a server, and true whether or not the verdict holds.
ALWAYS: tuple[Family[ScrapedServer], ...] = (
    Family(
        name="ldaphealth_server_verdict_valid",
        kind=GAUGE,
        help="1 while the latest verdict holds. 0 when it expired because no round renewed it: "
        "then nothing else is told of the server but what is counted.",
        read=lambda shown: one(shown.is_valid),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_rounds_total",
        kind=COUNTER,
        help=f"Rounds of looks at the server {SINCE}.",
        read=lambda shown: one(shown.known.rounds),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_failed_rounds_total",
        kind=COUNTER,
        help=f"Rounds in which something failed that did not work on a fresh connection {SINCE}.",
        read=lambda shown: one(shown.known.failed_rounds),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_operation_duration_seconds",
        kind=HISTOGRAM,
        help=f"How long the server took for an operation of the agent {SINCE}, failures included.",
        read=readings.operation_times,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_replication_propagation_duration_seconds",
        kind=HISTOGRAM,
        help=f"How long changes that were written on one provider took to appear {SINCE}; what was "
        "lost is not in it.",
        read=readings.propagation_times,
        labels=(*SERVER, "provider"),
        exponents=(-8, -6, -4, -2, 0, 2, 4),
    ),
)

# Of the agent itself.
AGENT: tuple[Family[AgentHealth], ...] = (
    Family(
        name="ldaphealth_build_info",
        kind=INFO,
        help="The version of the agent; always 1.",
        read=lambda health: (((health.version,), 1.0),),
        labels=("version",),
    ),
    Family(
        name="ldaphealth_agent_up_seconds",
        kind=GAUGE,
        help="For how long the agent has run.",
        read=lambda health: one(health.up_seconds),
    ),
    Family(
        name="ldaphealth_agent_servers",
        kind=GAUGE,
        help="Servers of all clusters in the configuration.",
        read=lambda health: one(health.servers),
    ),
    Family(
        name="ldaphealth_agent_rounds_total",
        kind=COUNTER,
        help=f"Rounds that ended {SINCE}.",
        read=lambda health: one(health.rounds),
    ),
    Family(
        name="ldaphealth_agent_deadline_misses_total",
        kind=COUNTER,
        help="Rounds in which a server had not answered by the deadline.",
        read=lambda health: one(health.deadline_misses),
    ),
    Family(
        name="ldaphealth_agent_overruns_total",
        kind=COUNTER,
        help=f"Rounds that were left out because the one before had not ended {SINCE}.",
        read=lambda health: one(health.overruns),
    ),
    Family(
        name="ldaphealth_agent_rounds_in_flight",
        kind=GAUGE,
        help="Rounds that are under way or wait for a thread.",
        read=lambda health: one(health.in_flight),
    ),
    Family(
        name="ldaphealth_agent_threads",
        kind=GAUGE,
        help="Threads that look at servers, those for servers that hung included.",
        read=lambda health: one(health.threads),
    ),
    Family(
        name="ldaphealth_agent_busy_threads",
        kind=GAUGE,
        help="Threads that look at a server now.",
        read=lambda health: one(health.busy),
    ),
    Family(
        name="ldaphealth_agent_waiting_rounds",
        kind=GAUGE,
        help="Rounds that are due and wait for a thread: more threads would help.",
        read=lambda health: one(health.waiting),
    ),
    Family(
        name="ldaphealth_agent_loop_age_seconds",
        kind=GAUGE,
        help="For how long the agent's loop has not come round: more than a few seconds, and it "
        "hangs.",
        read=lambda health: one(health.loop_age_seconds),
    ),
    Family(
        name="ldaphealth_agent_publish_errors_total",
        kind=COUNTER,
        help=f"Verdicts that could not be written for their readers {SINCE}.",
        read=lambda health: one(health.publish_errors),
    ),
    Family(
        name="ldaphealth_agent_history_errors_total",
        kind=COUNTER,
        help=f"Errors of the history on disk {SINCE}.",
        read=lambda health: one(health.history_errors),
    ),
    Family(
        name="ldaphealth_agent_history_lost_changes_total",
        kind=COUNTER,
        help=f"Changes of verdicts that never reached the history on disk {SINCE}.",
        read=lambda health: one(health.history_lost),
    ),
)

# Of one look on demand: the names are those of every prober.
PROBE: tuple[Family[Probed], ...] = (
    Family(
        name="probe_success",
        kind=GAUGE,
        help="1 when every server of the target let us bind and is in service, and no rule for the "
        "pool keeps a sick one there.",
        read=lambda probed: one(probed.success),
    ),
    Family(
        name="probe_duration_seconds",
        kind=GAUGE,
        help="How long the look took.",
        read=lambda probed: one(probed.duration_seconds),
    ),
)

PROBED_SERVER: tuple[Family[LiveServer], ...] = (
    Family(
        name="probe_ldap_duration_seconds",
        kind=GAUGE,
        help="How long all operations of one kind in the look took together.",
        read=readings.times_of_one_look,
        labels=(*SERVER, "operation"),
    ),
)

# Of one answer.
ANSWER: tuple[Family[int], ...] = (
    Family(
        name="ldaphealth_series_left_out",
        kind=GAUGE,
        help="Series that this answer has no room for: more than 64 of one metric and server.",
        read=one,
    ),
)

METRICS: tuple[Family[Any], ...] = (*VERDICT, *ALWAYS, *AGENT, *PROBE, *PROBED_SERVER, *ANSWER)
