"""The table of reason codes of the built-in checks: what each one means, and what to do.

docs/verdicts.md is made of it (`make docs`). A code of RFC 4511 without a row has `RESULT_CODE`.
"""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.model import State, Trust
from ldaphealth.text.command_template import with_values
from ldaphealth.text.result_words import is_result_code

OK, WARNING, CRITICAL, UNKNOWN = ((state,) for state in State)
BOTH = (State.WARNING, State.CRITICAL)
REMOVES = {
    Trust.HARD: "hard",
    Trust.SOFT: "soft",
    Trust.EXPECTATION: "expectation",
    Trust.INFORMATIVE: "no",
}
# The command that shows the replication links of a consumer (slapd-monitor(5)).
LINKS = "ldapsearch -LLL -b cn=Databases,cn=Monitor '(cn=Consumer*)' '*' '+'"
SESSION = ("connect", "bind", "search", "compare", "write", "login", "unbind")


class ReasonCode(Struct, frozen=True, kw_only=True):
    """One reason code: its possible states and trusts, and two sentences.

    `template` is what to do (text/command_template.py); remedies.py fills it for a server.

    `checks` are those that give it, empty for all. A CRITICAL finding with the trust hard, soft or
    expectation may remove its server, if the effect of the check is `out`.
    """

    code: str
    checks: tuple[str, ...] = ()
    states: tuple[State, ...] = CRITICAL
    trusts: tuple[Trust, ...] = (Trust.SOFT,)
    means: str
    template: str

    @property
    def remedy(self) -> str:
        """Return what to do, with words such as CLUSTER in place of values."""
        return with_values(self.template)

    @property
    def removes(self) -> str:
        """Return how it may remove a server: the trusts in words, or `no`."""
        if State.CRITICAL not in self.states:
            return "no"
        return ", ".join(REMOVES[each] for each in self.trusts if each is not Trust.LOCAL)


REASON_CODES: tuple[ReasonCode, ...] = (
    # No usable session.
    ReasonCode(
        code="connect",
        checks=("connect",),
        states=(State.CRITICAL, State.UNKNOWN),
        trusts=(Trust.HARD, Trust.LOCAL),
        means="no connection: the port is closed, or the host does not answer. UNKNOWN if the "
        "cause is this host: no route, no descriptors, or an address that cannot be used",
        template="on {host}: `systemctl status slapd`, `{listening}`, `journalctl -u slapd -n "
        "100`; then the firewall between",
    ),
    ReasonCode(
        code="disconnected",
        trusts=(Trust.HARD,),
        means="the server closed or reset the connection during an operation",
        template="on {host}: `journalctl -u slapd -n 100` for a crash or a limit on connections; "
        "then the log of a firewall or balancer between. A port that expects the PROXY protocol "
        "closes each connection without it, and any other port each with it: `proxy_protocol`. A "
        "port of LDAPS closes one without TLS: `ldaps://`",
    ),
    ReasonCode(
        code="timeout",
        trusts=(Trust.HARD, Trust.SOFT),
        means="no answer before the deadline. Hard if there was no LDAP response in the whole "
        "round; soft if there was one, because then the server is slow",
        template="on {host}: `systemctl status slapd`, `{listening}`, `journalctl -u slapd -n "
        "100`, and `uptime` and `df -h` for load and a full disk. A slapd that answers nothing "
        "is frozen: `systemctl restart slapd`. If it is only slow, set a longer "
        "`deadline_seconds` than {deadline_seconds}",
    ),
    ReasonCode(
        code="protocol",
        trusts=(Trust.HARD,),
        means="what answers does not speak LDAP",
        template="check the host and the port in `uri` ({uri}), and on {host} what listens "
        "there: `{listening}`",
    ),
    ReasonCode(
        code="resolve",
        checks=("connect",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the host name did not resolve",
        template="`{lookup}`; check the name in `uri` ({uri}), /etc/resolv.conf and the DNS "
        "server; an address in place of the name does without them",
    ),
    ReasonCode(
        code="tls",
        checks=("connect",),
        states=(State.CRITICAL, State.UNKNOWN),
        trusts=(Trust.HARD, Trust.LOCAL),
        means="the TLS handshake broke without an alert. UNKNOWN if a file of `tls` cannot be "
        "loaded",
        template="`{handshake}` shows the handshake; `{ldaphealth:config check}` reads the "
        "files. A port without TLS breaks it, too: `ldap://` with `start_tls`",
    ),
    ReasonCode(
        code="tls_refused",
        trusts=(Trust.EXPECTATION,),
        means="the server lives, but it and this host do not agree on TLS: on the client "
        "certificate, the version or the ciphers",
        template="the sentence names the setting below `tls` to change, or the certificate to "
        "renew; `{handshake}` shows the handshake",
    ),
    ReasonCode(
        code="certificate",
        checks=("connect",),
        trusts=(Trust.EXPECTATION,),
        means="the server's certificate is not trusted, has expired, or is for another name",
        template="`{handshake}` shows the certificate: renew it, or set `tls.ca_file` to the "
        "authority that issued it, or `server_name` to a name that it contains",
    ),
    ReasonCode(
        code="too_large",
        trusts=(Trust.EXPECTATION,),
        means="the answers exceed what one session may receive (64 KiB; a search 1 KiB more for "
        "each entry of its `size_limit`)",
        template="request less: a narrower `base`, `filter` or `size_limit`",
    ),
    ReasonCode(
        code="other_session",
        trusts=(Trust.SOFT,),
        means="the second session, with the `credentials` of the check, was lost or refused, while "
        "the session of the server worked; the sentence has the cause",
        template="`{account:ldapwhoami}` tries this account; then its limits and access rules "
        "(`limits`, `olcLimits`), and the server's limit on connections",
    ),
    ReasonCode(
        code="bug",
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the check itself failed, or its settings cannot be sent",
        template="`journalctl -u ldaphealth-agent` has the traceback: report it; `checks: "
        "{{{check}: off}}` turns the check off",
    ),
    # Result codes of LDAP.
    ReasonCode(
        code="invalidCredentials",
        checks=("bind", "login"),
        trusts=(Trust.EXPECTATION,),
        means="the server refused the account or its password, or its password is not tried now, "
        "so that no account is locked. If the server says that it is locked, expired or disabled, "
        "so does the sentence; then this is the code whatever the result code is",
        template="`{account:ldapwhoami -e ppolicy}` shows what the server says of this account. "
        "Correct the password in {file}, then `systemctl reload ldaphealth-agent`: the agent "
        "reads the file only then, and tries it at once. If it has expired, an administrator, "
        "whose DN is in $ADMIN_DN, sets another one: `{writer:ldappasswd -S {dn}}`",
    ),
    ReasonCode(
        code="must_change",
        checks=("bind", "login"),
        trusts=(Trust.INFORMATIVE,),
        means="the password was reset, and the account can do nothing before it is changed: what "
        "follows the bind fails",
        template="change it as the account itself: `{account:ldappasswd -S}`, write it to "
        "{file}, then `systemctl reload ldaphealth-agent`: the agent reads the file only then, "
        "and tries it at once. Or delete `pwdReset` of the entry",
    ),
    ReasonCode(
        code="grace_logins",
        checks=("bind", "login"),
        states=WARNING,
        trusts=(Trust.INFORMATIVE,),
        means="the password has expired, and the server still accepts a few binds with it. Each "
        "bind uses one, so the agent binds once an hour only",
        template="an administrator, whose DN is in $ADMIN_DN, sets another password: "
        "`{writer:ldappasswd -S {dn}}`. Write it to {file}, then `systemctl reload "
        "ldaphealth-agent`: the agent reads the file only then, and tries it at once",
    ),
    ReasonCode(
        code="password_expires",
        checks=("bind", "login"),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="the password expires within `password_days_left`; the server says so",
        template="an administrator, whose DN is in $ADMIN_DN, sets another password: "
        "`{writer:ldappasswd -S {dn}}`. Write it to {file}, then `systemctl reload "
        "ldaphealth-agent`: the agent reads the file only then, and tries it at once",
    ),
    ReasonCode(
        code="inappropriateAuthentication",
        checks=("bind",),
        trusts=(Trust.EXPECTATION,),
        means="the account has no password, or anonymous binds are not permitted",
        template="set `credentials` with an account, or a password for it",
    ),
    ReasonCode(
        code="confidentialityRequired",
        trusts=(Trust.EXPECTATION,),
        means="the server requires TLS for this operation",
        template="set `tls: {{start_tls: true}}`, or an `ldaps://` URI",
    ),
    ReasonCode(
        code="strongerAuthRequired",
        trusts=(Trust.EXPECTATION,),
        means="the server requires TLS, or another kind of bind",
        template="set `tls: {{start_tls: true}}` or an `ldaps://` URI; else another `method` of "
        "the credentials",
    ),
    ReasonCode(
        code="noSuchObject",
        trusts=(Trust.EXPECTATION,),
        means="an entry, often the `base`, is missing, or the account has no right to see it",
        template="as the account `{account:ldapsearch -s base -b {base} 1.1}`, and as an "
        "administrator, whose DN is in $ADMIN_DN, `{administrator:ldapsearch -s base -b {base} "
        "1.1}`: if only the latter finds it, give the account the right (`{ldaphealth:setup "
        "{cluster} --part rules}`); else the server is empty or the DN is wrong",
    ),
    ReasonCode(
        code="insufficientAccessRights",
        trusts=(Trust.EXPECTATION,),
        means="the account has no right to do this",
        template="give it the right in the access rules of the server (slapd.access(5)): "
        "`{ldaphealth:setup {cluster} --part rules}` prints those that the checks need",
    ),
    ReasonCode(
        code="unwillingToPerform",
        trusts=(Trust.EXPECTATION,),
        means="the server refuses by its settings, for example because its database is read-only",
        template="on {host}: `olcReadOnly`, `olcRestrict`, `olcRequires` of its database; a full "
        "file system (`df -h`) also makes it read-only",
    ),
    ReasonCode(
        code="referral",
        states=BOTH,
        trusts=(Trust.EXPECTATION, Trust.INFORMATIVE),
        means="what was requested is on another server. Of the check `write`: the server is a "
        "copy; that is a WARNING, and only reported",
        template="set `role: consumer` for this server; of another check, correct its `base`",
    ),
    ReasonCode(
        code="busy",
        trusts=(Trust.HARD,),
        means="the server says that it is too busy",
        template="on {host}: `systemctl status slapd`, `uptime`, `olcThreads`; "
        "`{session:ldapsearch -LLL -b cn=Threads,cn=Monitor monitoredInfo}` shows its threads",
    ),
    ReasonCode(
        code="unavailable",
        trusts=(Trust.HARD,),
        means="the server says that it is shutting down, or that its database is offline",
        template="on {host}: `systemctl status slapd`, `journalctl -u slapd -n 100`",
    ),
    ReasonCode(
        code="timeLimitExceeded",
        means="the server ended an operation by its own time limit",
        template="look for a missing index (`olcDbIndex`) on the attributes of the filter; else "
        "raise `olcTimeLimit` for the account",
    ),
    ReasonCode(
        code="adminLimitExceeded",
        means="the server ended an operation by its limit on unindexed searches or entries",
        template="index the attributes of the filter, or raise `olcLimits` for the account",
    ),
    ReasonCode(
        code="sizeLimitExceeded",
        trusts=(Trust.EXPECTATION,),
        means="the server returns fewer entries than the check may read",
        template="raise `olcLimits` of the account, or request fewer entries",
    ),
    # Time and content of a session.
    ReasonCode(
        code="slow",
        states=BOTH,
        checks=(*SESSION, "latency", "propagation", "workload"),
        means="an operation took longer than its threshold; of `latency` and `workload`, a "
        "quantile of the times in a window; of `propagation`, the way of a change to this server",
        template="on {host}: load, disk, missing indexes; `{ldaphealth:explain {server}}` has "
        "the times. If they are normal here, raise the threshold",
    ),
    ReasonCode(
        code="slower_than_pool",
        checks=("latency", "session", "workload"),
        states=BOTH,
        means="far slower than the other servers, over a window, of `workload` in operations of "
        "one shape; of `session` CRITICAL if it lasts",
        template="compare load, disk and indexes with the other servers",
    ),
    ReasonCode(
        code="unreliable",
        checks=("session",),
        states=BOTH,
        trusts=(Trust.SOFT, Trust.INFORMATIVE),
        means="too many of the newest probes failed, each for a moment only. Only reported while "
        "most other servers lose probes, too",
        template="the sentence counts the failures: look for resets by a firewall, exhausted "
        "descriptors or threads, and a process that restarts again and again",
    ),
    ReasonCode(
        code="entries",
        checks=("search", "workload"),
        states=BOTH,
        trusts=(Trust.EXPECTATION, Trust.SOFT, Trust.INFORMATIVE),
        means="the search found too few or too many entries; of `workload`, searches of one shape "
        "find another number than at most other servers, in several draws (only reported while "
        "there is no majority)",
        template="compare with another server: `{ldaphealth:content diff {cluster}}`. If the "
        "number is right, change `entries`; an empty server must be loaded again before it "
        "serves. Of `workload`, also compare access rules",
    ),
    ReasonCode(
        code="value",
        checks=("search",),
        trusts=(Trust.EXPECTATION,),
        means="no entry holds the value, or the account has no right to search for it",
        template="read the entry as the administrator; give the account the right `search` on "
        "the attribute",
    ),
    ReasonCode(
        code="limited",
        checks=("search",),
        states=(State.CRITICAL, State.UNKNOWN),
        trusts=(Trust.EXPECTATION, Trust.LOCAL),
        means="a size limit hides whether there are enough entries, or too many. CRITICAL if it is "
        "one of the server, below `size_limit`",
        template="raise `olcLimits` of the account, or search for fewer",
    ),
    ReasonCode(
        code="compareFalse",
        checks=("compare",),
        trusts=(Trust.EXPECTATION,),
        means="the entry does not hold the value",
        template="read the entry on this and on another server",
    ),
    # Logins.
    ReasonCode(
        code="no_user",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the filter finds no user on the session of the server: the entry is missing, or the "
        "account of the server has no right to search for it",
        template="as that account `{session:ldapsearch -b {base} {filter} 1.1}`, and as an "
        "administrator, whose DN is in $ADMIN_DN, `{administrator:ldapsearch -b {base} {filter} "
        "1.1}`; the same on another server",
    ),
    ReasonCode(
        code="several_users",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the filter finds more than one entry, as two users with one name; applications "
        "refuse such a login",
        template="`{session:ldapsearch -b {base} {filter} 1.1}` lists them; delete one, or "
        "narrow `filter` or `base`",
    ),
    ReasonCode(
        code="other_user",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the filter finds another entry than the `dn` of the credentials; its password was "
        "not tried",
        template="correct `filter`, or `dn` of the credentials; without `dn` they are for "
        "whichever entry the filter finds",
    ),
    ReasonCode(
        code="identity",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the bind as the user succeeded, and the server takes the session for another "
        "identity (RFC 4532)",
        template="`{account:ldapwhoami}`; then the overlays of the server that map DNs "
        "(slapo-rwm(5)), and what is between",
    ),
    ReasonCode(
        code="unreadable",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the user cannot read one of `attributes` of the own entry",
        template="as the user `{account:ldapsearch -s base -b {dn}}`, and as an administrator, "
        "whose DN is in $ADMIN_DN, `{administrator:ldapsearch -s base -b {dn}}`: if only the "
        "latter finds it, give users the right to read it",
    ),
    ReasonCode(
        code="no_member",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the user does not find to be a member of `group`",
        template="as the user `{account:ldapcompare {group} {member}}`, and as an administrator, "
        "whose DN is in $ADMIN_DN, `{administrator:ldapcompare {group} {member}}`: if both are "
        "false, add the user to the group; else give users the right to compare",
    ),
    ReasonCode(
        code="no_group",
        checks=("login",),
        trusts=(Trust.EXPECTATION,),
        means="the user does not find `group`: it is missing, or users have no right to see it",
        template="as the user `{account:ldapsearch -s base -b {group} 1.1}`, and as an "
        "administrator, whose DN is in $ADMIN_DN, `{administrator:ldapsearch -s base -b {group} "
        "1.1}`, on this and on another server",
    ),
    # Writes.
    ReasonCode(
        code="no_canary",
        checks=("write", "propagation"),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the entry to write to does not exist; nothing was written",
        template="`{ldaphealth:canary apply {cluster}}` makes it, if the account of the "
        "configuration may add entries. Else an administrator adds it, whose DN is in $ADMIN_DN: "
        "`{ldaphealth:setup {cluster} --part entries} | {writer:ldapadd -c}`",
    ),
    ReasonCode(
        code="foreign_entry",
        checks=("write", "propagation"),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the entry lacks the mark of this agent; nothing was written",
        template="give the agent another `container`, or another name in `agent`",
    ),
    ReasonCode(
        code="lost",
        checks=("write", "propagation"),
        means="what was just written is not there, or did not arrive in time from another server",
        template="`{ldaphealth:csn watch {cluster}}` shows what arrives; then on {host} "
        "`journalctl -u slapd -n 100`",
    ),
    ReasonCode(
        code="not_searchable",
        checks=("write",),
        trusts=(Trust.EXPECTATION,),
        means="the value that was just written is in the entry, but a search for it finds nothing "
        "(`search: true`): an index is damaged, or the account has no right to search",
        template="stop slapd and run `slapindex description` as its user (slapindex(8)); else "
        "give the account the right `search` on the attribute",
    ),
    ReasonCode(
        code="duplicate_server_id",
        checks=("write",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="two servers write under one server ID, so changes may be lost. WARNING: or one of "
        "them has another make its writes",
        template="give each server a `serverID` of its own",
    ),
    ReasonCode(
        code="unwritten",
        checks=("propagation",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="a token could not be written at this server",
        template="the sentence has the cause; the checks of its sessions report the same",
    ),
    ReasonCode(
        code="unread",
        checks=("propagation",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="a token could not be read at this server",
        template="the sentence has the cause; the checks of its sessions report the same",
    ),
    # Replication.
    ReasonCode(
        code="behind",
        checks=("replication",),
        states=BOTH,
        means="lacks changes that most others have, or that the reference server has",
        template="its links to the providers: `{session:ldapsearch -LLL -b "
        "cn=Databases,cn=Monitor '(cn=Consumer*)' '*' '+'}`. One whose `olmSRConnection` names "
        "no connection is broken: on {host} `journalctl -u slapd -n 100` has its cause, such as "
        "the network, the credentials or a certificate. `{ldaphealth:csn watch {cluster}}` shows "
        "when it has caught up. A consumer that polls needs `poll_interval_seconds`",
    ),
    ReasonCode(
        code="isolated",
        checks=("replication", "propagation"),
        states=BOTH,
        means="has changes that the others lack: what is written here arrives nowhere",
        template="repair the links of the others to this server: `{others:ldapsearch -LLL -b "
        "cn=Databases,cn=Monitor '(cn=Consumer*)' '*' '+'}`, where `olmSRConnection` names no "
        "connection. Its changes are nowhere else: without it clients have only servers that "
        "lack them, and before they are saved it must not be reloaded",
    ),
    ReasonCode(
        code="split",
        checks=("replication", "propagation"),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="two halves each lack changes of the other; to remove one would not help",
        template="repair the links between the sides that the sentence names: `{every:ldapsearch "
        "-LLL -b cn=Databases,cn=Monitor '(cn=Consumer*)' '*' '+'}`, where `olmSRConnection` "
        "names no connection. When `{ldaphealth:csn watch {cluster}}` shows no lag any more, "
        "`{ldaphealth:content diff {cluster}}` lists entries that still differ",
    ),
    ReasonCode(
        code="regressed",
        checks=("replication",),
        trusts=(Trust.SOFT, Trust.INFORMATIVE),
        means="lacks changes that it had itself: restored from an old backup, or ended without a "
        "checkpoint. Only reported while more than half of the servers went back to the same",
        template="wait for replication; if it does not catch up, reload it from another server. "
        "If the whole cluster was restored on purpose: `{ldaphealth:baseline {cluster}}`",
    ),
    ReasonCode(
        code="future",
        checks=("replication",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="has a change with a date in the future",
        template="correct the clock of the server that wrote it: `chronyc tracking`",
    ),
    ReasonCode(
        code="no_reference",
        checks=("replication",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the server named in `reference` cannot be read, so no server is compared with it: "
        "it removes none, and brings none back that is out for its standing",
        template="repair that server, or set `reference: majority`",
    ),
    ReasonCode(
        code="no_csn",
        checks=("replication",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="no contextCSN can be read: no replication, or no right to read it",
        template="`{session:ldapsearch -LLL -s base -b {base} contextCSN}` shows what the "
        "account sees: give it the right to read contextCSN of the suffix (`{ldaphealth:setup "
        "{cluster} --part rules}`), or set `base`; a cluster without replication has no use for "
        "this check",
    ),
    ReasonCode(
        code="bad_csn",
        checks=("replication",),
        states=WARNING,
        means="a value of contextCSN is no CSN, or there are more than 128",
        template="compare on all servers: `{every:ldapsearch -LLL -s base -b {base} contextCSN}`",
    ),
    # The links of a consumer.
    ReasonCode(
        code="not_connected",
        checks=("consumer",),
        states=BOTH,
        means="a link that it replicates by has had no connection for long",
        template="on {host} `journalctl -u slapd -n 100` has the cause: address, credentials or "
        "certificate of the provider. If it has nothing of syncrepl, as root there: `printf 'dn: "
        "cn=config\\nadd: olcLogLevel\\nolcLogLevel: sync\\n' | ldapmodify -Y EXTERNAL -H "
        "ldapi:///`",
    ),
    ReasonCode(
        code="given_up",
        checks=("consumer",),
        states=BOTH,
        means="slapd will not try this link again: the attempts of `retry` are used up",
        template='on {host} end `retry` in its syncrepl with "+", then `systemctl restart slapd`',
    ),
    ReasonCode(
        code="refreshing",
        checks=("consumer",),
        states=BOTH,
        means="a link has been catching up for long",
        template="wait, and watch `{ldaphealth:csn watch {cluster}}`; a larger "
        "`syncprov-sessionlog` avoids it",
    ),
    ReasonCode(
        code="refresh_loop",
        checks=("consumer",),
        states=BOTH,
        means="a link connects again and again",
        template="read `journalctl -u slapd -n 100` on {host} and on its provider: a limit on "
        "entries, a schema that differs, or an idle timeout",
    ),
    ReasonCode(
        code="silent",
        checks=("consumer",),
        states=BOTH,
        means="a link is connected and brings nothing",
        template="if something was written meanwhile, set `keepalive` in its syncrepl, and "
        "restart the link",
    ),
    # cn=Monitor.
    ReasonCode(
        code="no_access",
        checks=("monitor", "resources", "counters", "consumer", "entry_count"),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="there is a monitor database, but the account cannot read it",
        template="add the `olcAccess` of the sentence (`{ldaphealth:setup {cluster} --part "
        "rules}` prints all), or turn the checks off",
    ),
    ReasonCode(
        code="ratio",
        checks=("monitor",),
        states=BOTH,
        means="one kind of operation is too frequent or too rare, compared with another",
        template="find the clients that cause it in the log of the server",
    ),
    ReasonCode(
        code="rate",
        checks=("monitor",),
        states=BOTH,
        means="there are too many or too few operations in a second",
        template="find the clients that cause it in the log of the server",
    ),
    ReasonCode(
        code="stuck",
        checks=("monitor",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="more requests of one kind are in flight, begun and not answered, than on the other "
        "servers, in several reads in a row",
        template="`{session:ldapsearch -LLL -b cn=Connections,cn=Monitor "
        "monitorConnectionOpsExecuting}` names the connections; find slow operations in the log "
        "(missing indexes), and what the server waits for: its disk, a server behind it, an "
        "overlay",
    ),
    ReasonCode(
        code="database_full",
        checks=("resources",),
        states=BOTH,
        means="the database uses most of `olcDbMaxSize`; a full one takes no writes",
        template="raise `olcDbMaxSize` and restart slapd",
    ),
    ReasonCode(
        code="full_soon",
        checks=("forecast",),
        states=(State.WARNING,),
        trusts=(Trust.INFORMATIVE,),
        means="a database, or the file descriptors for connections, will be full within "
        "`warning_days` even at the latest that is forecast, if use grows as in the last weeks",
        template="a database: raise `olcDbMaxSize` and restart slapd. Connections: raise "
        "`LimitNOFILE` of the service, set `olcIdleTimeout`, find the client that leaves "
        "connections open. `{ldaphealth:history {server} --number resources.database_pages}` "
        "or `resources.connections` plots the growth",
    ),
    ReasonCode(
        code="readers",
        checks=("resources",),
        states=BOTH,
        means="most reader slots of LMDB are used; without one there are no reads",
        template="raise `olcDbMaxReaders`; `mdb_stat -rr` removes slots of dead processes",
    ),
    ReasonCode(
        code="connections",
        checks=("resources",),
        states=BOTH,
        means="most file descriptors of slapd are used by connections",
        template="raise `LimitNOFILE` of the service, set `olcIdleTimeout`, find the client that "
        "leaves connections open",
    ),
    ReasonCode(
        code="threads",
        checks=("resources",),
        states=BOTH,
        means="operations wait for a thread, in several reads in a row",
        template="find slow searches in the log (missing indexes); then raise `olcThreads`",
    ),
    # What clients got.
    ReasonCode(
        code="failing",
        checks=("traffic",),
        states=BOTH,
        trusts=(Trust.SOFT, Trust.INFORMATIVE),
        means="a larger share of the operations of clients has this result code than on the "
        "other servers, or than before on the same server (only reported); or more are abandoned",
        template="find them in the log, with the number of the result code (RFC 4511 A.1) in "
        '$CODE: `{session:ldapsearch -b {base} "(reqResult=$CODE)"}`',
    ),
    ReasonCode(
        code="slower",
        checks=("traffic",),
        states=BOTH,
        trusts=(Trust.SOFT, Trust.INFORMATIVE),
        means="one kind of operation of clients takes several times as long, on average, as on the "
        "other servers, or as before on the same server (only reported)",
        template="on the server: load, disk, indexes that the other servers have (`olcDbIndex`)",
    ),
    ReasonCode(
        code="no_log",
        checks=("traffic",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the log of operations could not be read",
        template="the sentence has the cause: the right to read `base`, `index reqStart eq` in "
        "its database, or no session",
    ),
    # Operations of clients, done again.
    ReasonCode(
        code="results",
        checks=("workload",),
        states=BOTH,
        means="operations of one shape get another result code than at most other servers",
        template="repeat the operation by hand at both servers: `{ldaphealth:explain {server}}` "
        "has it. RFC 4511 A.2 has the meaning of the code; compare access rules, limits and load",
    ),
    ReasonCode(
        code="slower_than_learnt",
        checks=("workload",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="operations of one shape take many times as long as in the log of clients",
        template="compare load, disk and indexes with those at that time; if it stays, learn again",
    ),
    ReasonCode(
        code="unlike_learnt",
        checks=("workload",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="operations of one shape often get a result code that was rare in the log of "
        "clients, or no entry where those of clients got one",
        template="the account of the agent may lack rights that the clients have. Else the "
        "directory has changed: learn again",
    ),
    ReasonCode(
        code="not_done",
        checks=("workload",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="no operation of the workload could be done",
        template="the sentence has the cause: no session, or no right to read the sources of "
        "values",
    ),
    # Certificates.
    ReasonCode(
        code="expires",
        checks=("certificate",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="the server's certificate expires soon, or has expired",
        template="renew it; `{handshake}` shows it, and `connect` fails once clients refuse it",
    ),
    ReasonCode(
        code="client_expires",
        checks=("certificate",),
        states=BOTH,
        trusts=(Trust.INFORMATIVE,),
        means="the client certificate in `certificate_file`, or one of its chain, expires soon",
        template="renew it: servers that require it will refuse the agent (`tls_refused`)",
    ),
    # Content.
    ReasonCode(
        code="diverged",
        checks=("content",),
        trusts=(Trust.SOFT, Trust.INFORMATIVE),
        means="entries differ although contextCSN shows that no change is in transit; with "
        "`values: true` also values under the same entryCSN",
        template="`{ldaphealth:content diff {cluster}}` lists them; reload the server that is "
        "wrong",
    ),
    ReasonCode(
        code="differs",
        checks=("entry_count",),
        trusts=(Trust.SOFT, Trust.INFORMATIVE),
        means="another number of entries than on the other servers, although all have received the "
        "same changes. Without a majority it is on all servers, and only reported",
        template="`{ldaphealth:content diff {cluster}}` lists the entries; reload the server "
        "that is wrong. A server that holds a part of the entries: `partial_servers`",
    ),
    ReasonCode(
        code="not_compared",
        checks=("content",),
        states=UNKNOWN,
        trusts=(Trust.LOCAL,),
        means="the entries of this server, or the values of an attribute that the account may not "
        "read, could not be compared",
        template="the sentence has the cause",
    ),
    # Nothing is wrong.
    ReasonCode(
        code="not_applicable",
        states=OK,
        trusts=(),
        means="the check does not apply: a consumer takes no writes, there is no monitor "
        "database, no replication, no TLS, no number of entries, or no other server",
        template="nothing",
    ),
    ReasonCode(
        code="collecting",
        checks=("monitor", "latency", "propagation", "entry_count", "workload", "forecast"),
        states=OK,
        trusts=(),
        means="not enough was observed yet",
        template="nothing; it passes",
    ),
    ReasonCode(
        code="idle",
        checks=("monitor", "traffic"),
        states=OK,
        trusts=(),
        means="too few operations to judge",
        template="nothing",
    ),
)

RESULT_CODE = ReasonCode(
    code="a name in RFC 4511",
    trusts=(Trust.EXPECTATION, Trust.SOFT),
    means="the result code of the operation; `resultCode` and its number if the RFC has no name",
    template="RFC 4511 A.2 has the meaning, the server's log the cause",
)

ROWS = {row.code: row for row in REASON_CODES}


def row_of(code: str) -> ReasonCode | None:
    """Return the row of a code such as `timeout` or, with any check before it, `bind.timeout`.

    None: it is a code of a check of another package, or not a code.
    """
    own = code.rpartition(".")[2]
    return ROWS.get(own) or (RESULT_CODE if is_result_code(own) else None)


def remedy_of(code: str) -> str:
    """Return what to do about a code, with words in place of values; empty if no row has it."""
    row = row_of(code)
    return row.remedy if row else ""
