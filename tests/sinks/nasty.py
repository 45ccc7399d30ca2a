"""Texts that no server should send, and a snapshot that contains one wherever a server could.

One table for the tests of all output that contains text of servers: sinks, page and files.
"""

from __future__ import annotations

from ldaphealth.model import CheckEffect, Finding, Metric, Reason, Snapshot, State, Verdict

TAKEN_AT = 1_795_400_000.25  # 2026-11-23T02:13:20.250Z

NASTY = {
    "line ends": "down\nldap9 in service\r\nOK\u2028\u2029\x85\x0b\x0c",
    "a pipe": "down | 'x'=1;2;3 || 'y'=U",
    "quotes": "it's \"down\" `reboot` $(reboot) 'x'='y'",
    "HTML": "<script>alert(1)</script>&lt;b&gt;",
    "escape sequences": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b31m\x00\x7f\x08\t",
    "lone surrogates": "\udcff\udc80\ud800",
    "rich markup": "[bold red]OK[/] [/] [link=http://x]y[/link] :smile: [",
    "bidirectional overrides": "\u202eecivres ni\u202c \u2066x\u2069 \u200f\u061c",
    "wide characters": "目録サーバ障害 🔥 ü é",
    "a mebibyte": "x" * (1 << 20),
    "a mebibyte of escapes": "\x1b" * (1 << 20),
    "a mebibyte of words": "ab " * (1 << 18),
    "invalid UTF-8": b"caf\xe9 \xff\xfe \xc0\xaf \xed\xa0\x80".decode("utf-8", "surrogateescape"),
    "NUL": "before\0after\0",
    "what is an escape already": r"down\nldap9 \\n \r \x1b[31m \u202e",
    "a backslash at the end": "down\\",
    "JSON": '","in_service":true}]} \\", \\u0000',
    "Prometheus": 'x"} 1\nldaphealth_in_service{server="ldap9"} 1 # EOF',
    "HAProxy": "up ready 100%\r\ndown#drain,maint",
    "placeholders": "{} {0} {why!r} %s %(x)s %n $HOSTNAME$ ${x}",
    "words of a checkmk line": "P 0 x=1;2;3|y=4 OK(!!) cached(1,2)",
    "a path": "../../etc/passwd",
    "nothing": "",
}


def nasty_snapshot(text: str, value: float = float("nan")) -> Snapshot:
    """Return a snapshot with the text wherever a server or a third party's check can set it."""
    ids = (f"main/{text}1", f"main/{text}2")
    metrics = (
        Metric("search_seconds", value, text, text, label=text),
        Metric(f"{text}_seconds", value),
        Metric("search_seconds", value, "1e3", "~:5"),
        Metric("free_bytes", 1e22, "@1:2", "inf"),
    )
    return Snapshot(
        TAKEN_AT,
        tuple(
            Verdict(
                server=id_,
                state=State.CRITICAL,
                in_service=False,
                weight=0,
                held_by=text,
                reasons=(
                    Reason(
                        "bind.invalidCredentials",
                        text,
                        State.CRITICAL,
                        CheckEffect.OUT,
                        removes=True,
                    ),
                    Reason(text, text, State.WARNING, CheckEffect.WATCH, removes=False),
                ),
                findings=(
                    Finding(
                        server=id_,
                        check="search",
                        state=State.CRITICAL,
                        code=text,
                        summary=text,
                        metrics=metrics,
                    ),
                    Finding(server=id_, check=text, state=State.OK, code=text, summary=text),
                ),
                plain=False,
            )
            for id_ in ids
        ),
    )
