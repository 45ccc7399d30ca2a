"""The table of all metrics, from which the exposition, the dashboard and docs/metrics.md are made.

To add a metric, add a row here and, if necessary, a part in parts.py or a reading in readings.py.
"""

from __future__ import annotations

from typing import Any

from ldaphealth.live.health import AgentHealth
from ldaphealth.prometheus import parts, readings
from ldaphealth.prometheus.counters_families import COUNTERS
from ldaphealth.prometheus.family import SERVER, Family, MetricType, Probed
from ldaphealth.prometheus.parts import ScrapedServer

COUNTER, GAUGE, HISTOGRAM, INFO = (
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.HISTOGRAM,
    MetricType.INFO,
)
SINCE = "since the agent started"

# Of the verdict on a server; left out when the verdict is stale.
VERDICT: tuple[Family[ScrapedServer], ...] = (
    Family(
        name="ldaphealth_server_in_service",
        kind=GAUGE,
        help="1 if the verdict is that the server is in service, 0 if it is out.",
        part=lambda shown: shown.known.verdict.in_service,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_weight",
        kind=GAUGE,
        help="The weight that is reported to balancers; 0 if the server is out of service.",
        part=lambda shown: shown.known.verdict.weight,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_draining",
        kind=GAUGE,
        help="1 while an operator drains the server: no new connections; open ones continue.",
        part=lambda shown: shown.known.verdict.draining,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_unchanged_seconds",
        kind=GAUGE,
        help="How long the server had been in service, or out of service, at the latest decision.",
        part=lambda shown: shown.known.verdict.lasted_seconds,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_state",
        kind=GAUGE,
        help="1 for the worst state of all findings on the server, 0 for the other three states.",
        part=lambda shown: shown.known.verdict.state,
        read=readings.states,
        labels=(*SERVER, "state"),
    ),
    Family(
        name="ldaphealth_server_held",
        kind=GAUGE,
        help="1 for the rule that overrode the plain reading of the findings, 0 for the others.",
        part=lambda shown: shown.known.verdict.held_by,
        read=readings.holds,
        labels=(*SERVER, "held_by"),
    ),
    Family(
        name="ldaphealth_shadow_in_service",
        kind=GAUGE,
        help="1 if the server would be in service by the shadow of its cluster, 0 if it would be "
        "out. It decides nothing; a cluster without a shadow has no series.",
        part=parts.of_shadow(lambda shadow: shadow.in_service),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_shadow_weight",
        kind=GAUGE,
        help="The weight that the server would have by the shadow of its cluster.",
        part=parts.of_shadow(lambda shadow: shadow.weight),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_check_severity",
        kind=GAUGE,
        help="The worst finding of a check: 0 OK, 1 unknown, 2 warning, 3 critical.",
        part=parts.finding_states,
        read=readings.severities,
        labels=(*SERVER, "check"),
    ),
    Family(
        name="ldaphealth_reason_severity",
        kind=GAUGE,
        help="The severity of each reason of the verdict, by stable code, with the values of "
        "ldaphealth_check_severity; a reason that is gone has no series.",
        part=lambda shown: shown.known.verdict.reasons,
        read=readings.reasons,
        labels=(*SERVER, "code"),
    ),
    Family(
        name="ldaphealth_session_failed_ratio",
        kind=GAUGE,
        help="The share of the newest probes that failed, those that confirm a failure included; "
        "failures without a good probe between them count as one.",
        part=parts.metrics_named("session", "session_failed_ratio"),
        read=readings.single,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_replication_behind_seconds",
        kind=GAUGE,
        help="How long the server was observed to lack changes of a server ID; 0 if it lacks "
        "none. The suffix is empty if the cluster has only one.",
        part=parts.metrics_named("replication", "behind_seconds"),
        read=readings.of_server_ids,
        labels=(*SERVER, "server_id", "suffix"),
    ),
    Family(
        name="ldaphealth_replication_isolated_seconds",
        kind=GAUGE,
        help="How long most others were observed to lack changes of a server ID that the server "
        "has; no series while they lack none.",
        part=parts.metrics_named("replication", "isolated_seconds"),
        read=readings.of_server_ids,
        labels=(*SERVER, "server_id", "suffix"),
    ),
    Family(
        name="ldaphealth_replication_split_seconds",
        kind=GAUGE,
        help="How long the cluster was observed to be split over changes of a server ID: each side "
        "lacks changes of another; no series without a split.",
        part=parts.metrics_named("replication", "split_seconds"),
        read=readings.of_server_ids,
        labels=(*SERVER, "server_id", "suffix"),
    ),
    Family(
        name="ldaphealth_replication_csn_gap_seconds",
        kind=GAUGE,
        help="The newest CSN of a server ID minus the server's own: the time between two writes, "
        "not a delay; after an idle day one write makes it a day.",
        part=parts.metrics_named("replication", "csn_gap_seconds"),
        read=readings.of_server_ids,
        labels=(*SERVER, "server_id", "suffix"),
    ),
    Family(
        name="ldaphealth_replication_propagation_seconds",
        kind=GAUGE,
        help="How long a change that was written on one provider took to appear on the server.",
        part=parts.metrics_named("propagation", "propagation_seconds"),
        read=readings.measured,
        labels=(*SERVER, "provider"),
    ),
    Family(
        name="ldaphealth_consumer_link_connected",
        kind=GAUGE,
        help="1 if slapd reports that the link to the provider is connected; a link that only "
        "polls (refreshOnly) is not connected between two polls.",
        part=parts.facts("consumer", lambda facts: facts.links),
        read=readings.links,
        labels=(*SERVER, "provider"),
    ),
    Family(
        name="ldaphealth_consumer_link_silent_seconds",
        kind=GAUGE,
        help="How long slapd was observed to receive nothing on a connected link: short by a "
        "fifth at most, unless links of the server reconnect all the time. On an idle cluster this "
        "is normal.",
        part=parts.metrics_named("consumer", "silent_seconds"),
        read=readings.measured,
        labels=(*SERVER, "provider"),
    ),
    Family(
        name="ldaphealth_slapd_operations_completed_total",
        kind=COUNTER,
        help="Operations that slapd completed since it started (cn=Operations,cn=Monitor), the "
        "agent's included; a restart of slapd resets it.",
        part=parts.facts("monitor", parts.completed_operations),
        read=readings.by_label,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_slapd_requests_in_flight",
        kind=GAUGE,
        help="Operations that slapd had begun and not completed at the latest probe, without the "
        "search that read them.",
        part=parts.facts("monitor", parts.requests_in_flight),
        read=readings.by_label,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_slapd_pending_operations",
        kind=GAUGE,
        help="Operations that waited for a thread of slapd at the latest probe.",
        part=parts.facts("resources", lambda facts: facts.pending_operations),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_slapd_connections_ratio",
        kind=GAUGE,
        help="Open connections as a share of the descriptors that slapd may have.",
        part=parts.facts("resources", lambda facts: facts.connections_ratio),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_slapd_database_ratio",
        kind=GAUGE,
        help="Pages in use as a share of the maximum size of an MDB database.",
        part=parts.facts("resources", lambda facts: facts.databases),
        read=readings.by_database(lambda each: each.database_ratio),
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name="ldaphealth_forecast_full_seconds",
        kind=GAUGE,
        help="Seconds until a resource is likely to be full, if its use grows as before; none "
        "where no end is to be seen.",
        part=parts.metrics_named("forecast", "forecast_full_seconds"),
        read=readings.measured,
        labels=(*SERVER, "resource"),
    ),
    Family(
        name="ldaphealth_slapd_readers_ratio",
        kind=GAUGE,
        help="Reader slots in use as a share of those of an MDB database.",
        part=parts.facts("resources", lambda facts: facts.databases),
        read=readings.by_database(lambda each: each.readers_ratio),
        labels=(*SERVER, "suffix"),
    ),
    Family(
        name="ldaphealth_slapd_database_entries",
        kind=GAUGE,
        help="Entries of an MDB database, by the suffix that the check compares.",
        part=parts.facts("entry_count", lambda facts: sorted(facts.entries.items())),
        read=readings.by_label,
        labels=(*SERVER, "suffix"),
    ),
    *COUNTERS,
    Family(
        name="ldaphealth_traffic_operations",
        kind=GAUGE,
        help="Operations of clients in the newest window of the log, by kind (check `traffic`).",
        part=parts.metrics_named("traffic", "traffic_operations"),
        read=readings.measured,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_traffic_mean_seconds",
        kind=GAUGE,
        help="The mean time of the operations of clients in the newest window of the log.",
        part=parts.metrics_named("traffic", "traffic_mean_seconds"),
        read=readings.measured,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_traffic_failed_ratio",
        kind=GAUGE,
        help="The share of the operations of clients in the newest window of the log that failed, "
        "by result code; `abandoned`: those that clients gave up.",
        part=parts.metrics_named("traffic", "traffic_failed_ratio"),
        read=readings.measured,
        labels=(*SERVER, "code"),
    ),
    Family(
        name="ldaphealth_workload_operations",
        kind=GAUGE,
        help="Operations of a shape in the newest window (kind of check `workload`).",
        part=parts.shape_metrics("shape_operations"),
        read=readings.of_shapes,
        labels=(*SERVER, "check", "shape"),
    ),
    Family(
        name="ldaphealth_workload_seconds",
        kind=GAUGE,
        help="The quantile of the times of a shape that its check judges.",
        part=parts.shape_metrics("shape_seconds"),
        read=readings.of_shapes,
        labels=(*SERVER, "check", "shape"),
    ),
    Family(
        name="ldaphealth_workload_different_ratio",
        kind=GAUGE,
        help="The share of the operations of a shape with another result code or number of entries "
        "than at most servers.",
        part=parts.shape_metrics("shape_different_ratio"),
        read=readings.of_shapes,
        labels=(*SERVER, "check", "shape"),
    ),
    Family(
        name="ldaphealth_certificate_expiry_timestamp_seconds",
        kind=GAUGE,
        help="When the certificate that the server presented expires.",
        part=parts.facts("certificate", lambda facts: facts.expires_epoch_seconds),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_client_certificate_expiry_timestamp_seconds",
        kind=GAUGE,
        help="When the client certificate (certificate_file), or the first of its chain, expires.",
        part=parts.facts("certificate", lambda facts: facts.client_expires_epoch_seconds),
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_password_expiry_timestamp_seconds",
        kind=GAUGE,
        help="When the password of the account that checks use expires, if the server says so.",
        part=parts.facts("bind", lambda facts: facts.expires_epoch_seconds),
        labels=SERVER,
    ),
)

# Of a server, whether or not its verdict is valid.
ALWAYS: tuple[Family[ScrapedServer], ...] = (
    Family(
        name="ldaphealth_server_verdict_valid",
        kind=GAUGE,
        help="1 while the latest verdict is valid. 0 if it expired because no round renewed it: "
        "then only the server's counts of rounds and its histograms remain.",
        part=lambda shown: shown.is_valid,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_rounds_total",
        kind=COUNTER,
        help=f"Rounds of the server {SINCE}.",
        part=lambda shown: shown.known.rounds,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_server_failed_rounds_total",
        kind=COUNTER,
        help=f"Rounds with a failure that remained after the confirmation {SINCE}.",
        part=lambda shown: shown.known.failed_rounds,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_shadow_changes_total",
        kind=COUNTER,
        help="Times that the shadow of the cluster would have taken the server out of service, or "
        f"put it in, {SINCE}.",
        part=parts.shadow_changes,
        labels=SERVER,
    ),
    Family(
        name="ldaphealth_operation_duration_seconds",
        kind=HISTOGRAM,
        help=f"How long the server took for an operation of the agent {SINCE}, failures included.",
        part=parts.operation_times,
        read=readings.histograms,
        labels=(*SERVER, "operation"),
    ),
    Family(
        name="ldaphealth_replication_propagation_duration_seconds",
        kind=HISTOGRAM,
        help=f"How long changes that were written on one provider took to appear {SINCE}; lost "
        "changes are not included.",
        part=parts.propagation_times,
        read=readings.histograms,
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
        part=lambda health: health.version,
        read=readings.info,
        labels=("version",),
    ),
    Family(
        name="ldaphealth_agent_shard_info",
        kind=INFO,
        help="Which shard of how many the agent is (`--shard`); always 1.",
        part=lambda health: (str(health.shard), str(health.shards)),
        read=lambda names: ((names, 1.0),),
        labels=("shard", "shards"),
    ),
    Family(
        name="ldaphealth_agent_up_seconds",
        kind=GAUGE,
        help="How long the agent has been running.",
        part=lambda health: health.up_seconds,
    ),
    Family(
        name="ldaphealth_agent_servers",
        kind=GAUGE,
        help="Servers of all clusters in the configuration.",
        part=lambda health: health.servers,
    ),
    Family(
        name="ldaphealth_agent_rounds_total",
        kind=COUNTER,
        help=f"Rounds that ended {SINCE}.",
        part=lambda health: health.rounds,
    ),
    Family(
        name="ldaphealth_agent_deadline_misses_total",
        kind=COUNTER,
        help="Rounds in which a server had not answered by the deadline.",
        part=lambda health: health.deadline_misses,
    ),
    Family(
        name="ldaphealth_agent_overruns_total",
        kind=COUNTER,
        help=f"Rounds that were left out because the one before had not ended {SINCE}.",
        part=lambda health: health.overruns,
    ),
    Family(
        name="ldaphealth_agent_rounds_in_flight",
        kind=GAUGE,
        help="Rounds that are in progress or wait to begin.",
        part=lambda health: health.in_flight,
    ),
    Family(
        name="ldaphealth_agent_waiting_rounds",
        kind=GAUGE,
        help="Rounds that are due and have not begun: if there are always some, the agent has not "
        "enough CPU.",
        part=lambda health: health.waiting,
    ),
    Family(
        name="ldaphealth_agent_loop_age_seconds",
        kind=GAUGE,
        help="How long ago the agent's main loop last ran while its rounds went on; if it is more "
        "than a few seconds, the agent hangs.",
        part=lambda health: health.loop_age_seconds,
    ),
    Family(
        name="ldaphealth_config_last_reload_successful",
        kind=GAUGE,
        help="1 if the newest configuration is in use; 0 if the last reload failed, and the one "
        "from before is.",
        part=lambda health: not health.reload_failure,
    ),
    Family(
        name="ldaphealth_config_last_reload_success_timestamp_seconds",
        kind=GAUGE,
        help="When the configuration in use was read, in seconds since the epoch.",
        part=lambda health: health.config_read_epoch_seconds,
    ),
    Family(
        name="ldaphealth_agent_late_total",
        kind=COUNTER,
        help=f"How often the agent did not run when it should have {SINCE}: it was stopped, or got "
        "no CPU.",
        part=lambda health: health.late,
    ),
    Family(
        name="ldaphealth_agent_late_seconds_total",
        kind=COUNTER,
        help="The time in which the agent did not run when it should have; its deadlines moved by "
        f"most of it {SINCE}.",
        part=lambda health: health.late_seconds,
    ),
    Family(
        name="ldaphealth_agent_publish_errors_total",
        kind=COUNTER,
        help=f"Verdicts that could not be written for their readers {SINCE}.",
        part=lambda health: health.publish_errors,
    ),
    Family(
        name="ldaphealth_agent_history_errors_total",
        kind=COUNTER,
        help=f"Errors of the history on disk {SINCE}.",
        part=lambda health: health.history_errors,
    ),
    Family(
        name="ldaphealth_agent_history_lost_changes_total",
        kind=COUNTER,
        help=f"Changes of verdicts that were not written to the history on disk {SINCE}.",
        part=lambda health: health.history_lost,
    ),
    Family(
        name="ldaphealth_agent_history_lost_points_total",
        kind=COUNTER,
        help="Durations of one operation in a minute that were not written to the history on disk "
        f"{SINCE}.",
        part=lambda health: health.history_lost_points,
    ),
    Family(
        name="ldaphealth_agent_history_cuts_total",
        kind=COUNTER,
        help="How often the oldest points of a level, or changes of verdicts, were deleted because "
        f"the history had its largest size {SINCE}.",
        part=lambda health: health.history_cuts.items(),
        read=readings.by_label,
        labels=("level",),
    ),
    Family(
        name="ldaphealth_agent_history_oldest_age_seconds",
        kind=GAUGE,
        help="How far the history on disk reaches back: durations by the minute, hour or day, and "
        "changes of verdicts.",
        part=lambda health: health.history_oldest_age_seconds.items(),
        read=readings.by_label,
        labels=("level",),
    ),
    Family(
        name="ldaphealth_agent_journal_errors_total",
        kind=COUNTER,
        help=f"Errors of the journal on disk {SINCE}.",
        part=lambda health: health.journal_errors,
    ),
    Family(
        name="ldaphealth_agent_journal_lost_events_total",
        kind=COUNTER,
        help=f"Rounds, decisions and the like that are not in the journal on disk {SINCE}.",
        part=lambda health: health.journal_lost,
    ),
    Family(
        name="ldaphealth_agent_journal_oldest_timestamp_seconds",
        kind=GAUGE,
        help="Since when the journal on disk has something, in Unix time; 0: it has nothing.",
        part=lambda health: health.journal_from_epoch_seconds,
    ),
)

# Of one probe on demand, with the names that other Prometheus probers use.
PROBE: tuple[Family[Probed], ...] = (
    Family(
        name="probe_success",
        kind=GAUGE,
        help="1 if a bind succeeded on every server of the target, every one is in service, and no "
        "rule but an override keeps a failed one in service.",
        part=lambda probed: probed.success,
    ),
    Family(
        name="probe_duration_seconds",
        kind=GAUGE,
        help="How long the probe took.",
        part=lambda probed: probed.duration_seconds,
    ),
)

PROBED_SERVER: tuple[Family[ScrapedServer], ...] = (
    Family(
        name="probe_ldap_duration_seconds",
        kind=GAUGE,
        help="The total time of all operations of one kind in the probe.",
        part=parts.times_of_one_probe,
        read=readings.by_label,
        labels=(*SERVER, "operation"),
    ),
)

# Of one response.
ANSWER: tuple[Family[int], ...] = (
    Family(
        name="ldaphealth_series_left_out",
        kind=GAUGE,
        help="Series that were left out of this response: more than 64 of one metric and server.",
        part=lambda left_out: left_out,
    ),
)

METRICS: tuple[Family[Any], ...] = (*VERDICT, *ALWAYS, *AGENT, *PROBE, *PROBED_SERVER, *ANSWER)
