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
        "ldaphealth_server_in_service",
        GAUGE,
        "1 while the verdict is that the server is in service, 0 while it is out.",
        readings.of_verdict(lambda verdict: verdict.in_service),
        SERVER,
    ),
    Family(
        "ldaphealth_server_weight",
        GAUGE,
        "The weight that balancers are told; 0 when the server is out of service.",
        readings.of_verdict(lambda verdict: verdict.weight),
        SERVER,
    ),
    Family(
        "ldaphealth_server_draining",
        GAUGE,
        "1 while an operator drains the server: no new connections, open ones may go on.",
        readings.of_verdict(lambda verdict: verdict.draining),
        SERVER,
    ),
    Family(
        "ldaphealth_server_unchanged_seconds",
        GAUGE,
        "For how long the server had been in service, or out of it, at the latest decision.",
        readings.of_verdict(lambda verdict: verdict.lasted_seconds),
        SERVER,
    ),
    Family(
        "ldaphealth_server_state",
        GAUGE,
        "1 for the worst state of all findings on the server, 0 for the other three states.",
        readings.states,
        (*SERVER, "state"),
    ),
    Family(
        "ldaphealth_server_held",
        GAUGE,
        "1 for the rule that overrode the plain reading of the findings, 0 for the others.",
        readings.holds,
        (*SERVER, "held_by"),
    ),
    Family(
        "ldaphealth_check_severity",
        GAUGE,
        "The worst finding of a check: 0 OK, 1 unknown, 2 warning, 3 critical.",
        readings.severities,
        (*SERVER, "check"),
    ),
    Family(
        "ldaphealth_reason_severity",
        GAUGE,
        "Why the server is not well, by stable code, as severe as in ldaphealth_check_severity; "
        "a reason that is gone has no series.",
        readings.reasons,
        (*SERVER, "code"),
    ),
    Family(
        "ldaphealth_replication_behind_seconds",
        GAUGE,
        "For how long the server was seen to lack changes of a server ID; 0 when it lacks none. "
        "The suffix is empty where a cluster has only one.",
        readings.of_server_ids("behind_seconds"),
        (*SERVER, "server_id", "suffix"),
    ),
    Family(
        "ldaphealth_replication_csn_gap_seconds",
        GAUGE,
        "The newest CSN of a server ID minus the server's own: the time between two writes, and "
        "no lateness; after an idle day one write makes a day.",
        readings.of_server_ids("csn_gap_seconds"),
        (*SERVER, "server_id", "suffix"),
    ),
    Family(
        "ldaphealth_replication_propagation_seconds",
        GAUGE,
        "How long a change that was written on one provider took to appear on the server.",
        readings.measured("propagation", "propagation_seconds"),
        (*SERVER, "provider"),
    ),
    Family(
        "ldaphealth_consumer_link_connected",
        GAUGE,
        "1 while slapd says that a link which it replicates by is connected; a link that only "
        "polls (refreshOnly) is not, between two polls.",
        readings.links,
        (*SERVER, "provider"),
    ),
    Family(
        "ldaphealth_consumer_link_silent_seconds",
        GAUGE,
        "For how long slapd was seen to hear nothing on a connected link, in the last 64 looks; "
        "on an idle cluster this is ordinary.",
        readings.measured("consumer", "silent_seconds"),
        (*SERVER, "provider"),
    ),
    Family(
        "ldaphealth_slapd_operations_completed_total",
        COUNTER,
        "Operations that slapd completed since it started (cn=Operations,cn=Monitor), the agent's "
        "included; it begins anew when slapd does.",
        readings.completed_operations,
        (*SERVER, "operation"),
    ),
    Family(
        "ldaphealth_slapd_pending_operations",
        GAUGE,
        "Operations that waited for a thread of slapd at the latest look.",
        readings.resource(lambda facts: facts.pending_operations),
        SERVER,
    ),
    Family(
        "ldaphealth_slapd_connections_ratio",
        GAUGE,
        "Open connections, of the descriptors that slapd may have.",
        readings.resource(lambda facts: facts.connections_ratio),
        SERVER,
    ),
    Family(
        "ldaphealth_slapd_database_ratio",
        GAUGE,
        "Pages in use, of the largest size of an MDB database.",
        readings.database(lambda each: each.database_ratio),
        (*SERVER, "suffix"),
    ),
    Family(
        "ldaphealth_slapd_readers_ratio",
        GAUGE,
        "Reader slots in use, of those of an MDB database.",
        readings.database(lambda each: each.readers_ratio),
        (*SERVER, "suffix"),
    ),
    Family(
        "ldaphealth_certificate_expiry_timestamp_seconds",
        GAUGE,
        "When the certificate that the server presented expires.",
        readings.certificate_expiry,
        SERVER,
    ),
)

# Of a server, and true whether or not the verdict holds.
ALWAYS: tuple[Family[ScrapedServer], ...] = (
    Family(
        "ldaphealth_server_verdict_valid",
        GAUGE,
        "1 while the latest verdict holds. 0 when it expired because no round renewed it: then "
        "nothing else is told of the server but what is counted.",
        lambda shown: one(shown.is_valid),
        SERVER,
    ),
    Family(
        "ldaphealth_server_rounds_total",
        COUNTER,
        f"Rounds of looks at the server {SINCE}.",
        lambda shown: one(shown.known.rounds),
        SERVER,
    ),
    Family(
        "ldaphealth_server_failed_rounds_total",
        COUNTER,
        f"Rounds in which something failed that did not work on a fresh connection {SINCE}.",
        lambda shown: one(shown.known.failed_rounds),
        SERVER,
    ),
    Family(
        "ldaphealth_operation_duration_seconds",
        HISTOGRAM,
        f"How long the server took for an operation of the agent {SINCE}, failures included.",
        readings.operation_times,
        (*SERVER, "operation"),
    ),
    Family(
        "ldaphealth_replication_propagation_duration_seconds",
        HISTOGRAM,
        f"How long changes that were written on one provider took to appear {SINCE}; what was lost "
        "is not in it.",
        readings.propagation_times,
        (*SERVER, "provider"),
        (-8, -6, -4, -2, 0, 2, 4),
    ),
)

# Of the agent itself.
AGENT: tuple[Family[AgentHealth], ...] = (
    Family(
        "ldaphealth_build_info",
        INFO,
        "The version of the agent; always 1.",
        lambda health: (((health.version,), 1.0),),
        ("version",),
    ),
    Family(
        "ldaphealth_agent_up_seconds",
        GAUGE,
        "For how long the agent has run.",
        lambda health: one(health.up_seconds),
    ),
    Family(
        "ldaphealth_agent_servers",
        GAUGE,
        "Servers of all clusters in the configuration.",
        lambda health: one(health.servers),
    ),
    Family(
        "ldaphealth_agent_rounds_total",
        COUNTER,
        f"Rounds that ended {SINCE}.",
        lambda health: one(health.rounds),
    ),
    Family(
        "ldaphealth_agent_deadline_misses_total",
        COUNTER,
        "Rounds in which a server had not answered by the deadline.",
        lambda health: one(health.deadline_misses),
    ),
    Family(
        "ldaphealth_agent_overruns_total",
        COUNTER,
        f"Rounds that were left out because the one before had not ended {SINCE}.",
        lambda health: one(health.overruns),
    ),
    Family(
        "ldaphealth_agent_rounds_in_flight",
        GAUGE,
        "Rounds that are under way or wait for a thread.",
        lambda health: one(health.in_flight),
    ),
    Family(
        "ldaphealth_agent_threads",
        GAUGE,
        "Threads that look at servers, those for servers that hung included.",
        lambda health: one(health.threads),
    ),
    Family(
        "ldaphealth_agent_busy_threads",
        GAUGE,
        "Threads that look at a server now.",
        lambda health: one(health.busy),
    ),
    Family(
        "ldaphealth_agent_waiting_rounds",
        GAUGE,
        "Rounds that are due and wait for a thread: more threads would help.",
        lambda health: one(health.waiting),
    ),
    Family(
        "ldaphealth_agent_loop_age_seconds",
        GAUGE,
        "For how long the agent's loop has not come round: more than a few seconds, and it hangs.",
        lambda health: one(health.loop_age_seconds),
    ),
    Family(
        "ldaphealth_agent_publish_errors_total",
        COUNTER,
        f"Verdicts that could not be written for their readers {SINCE}.",
        lambda health: one(health.publish_errors),
    ),
    Family(
        "ldaphealth_agent_history_errors_total",
        COUNTER,
        f"Errors of the history on disk {SINCE}.",
        lambda health: one(health.history_errors),
    ),
    Family(
        "ldaphealth_agent_history_lost_changes_total",
        COUNTER,
        f"Changes of verdicts that never reached the history on disk {SINCE}.",
        lambda health: one(health.history_lost),
    ),
)

# Of one look on demand: the names are those of every prober.
PROBE: tuple[Family[Probed], ...] = (
    Family(
        "probe_success",
        GAUGE,
        "1 when every server of the target let us bind and is in service, and no rule for the pool "
        "keeps a sick one there.",
        lambda probed: one(probed.success),
    ),
    Family(
        "probe_duration_seconds",
        GAUGE,
        "How long the look took.",
        lambda probed: one(probed.duration_seconds),
    ),
)

PROBED_SERVER: tuple[Family[LiveServer], ...] = (
    Family(
        "probe_ldap_duration_seconds",
        GAUGE,
        "How long all operations of one kind in the look took together.",
        readings.times_of_one_look,
        (*SERVER, "operation"),
    ),
)

# Of one answer.
ANSWER: tuple[Family[int], ...] = (
    Family(
        "ldaphealth_series_left_out",
        GAUGE,
        "Series that this answer has no room for: more than 64 of one metric and server.",
        one,
    ),
)

METRICS: tuple[Family[Any], ...] = (*VERDICT, *ALWAYS, *AGENT, *PROBE, *PROBED_SERVER, *ANSWER)
