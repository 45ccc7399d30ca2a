"""What a shadow decided on one server, and why, in the response to `ldaphealth explain`."""

from __future__ import annotations

from typing import Any

from ldaphealth.agent.shadows import Shadow
from ldaphealth.config.shadow_differences import differences
from ldaphealth.model import Verdict
from ldaphealth.publishers.shadow_publication import shadow_document
from ldaphealth.sinks.json_document import finding_document


def shadow_explanation(shadow: Shadow, verdict: Verdict) -> dict[str, Any] | None:
    """Return what a shadow decided, its settings that differ, and the findings that differ.

    None: it has not decided on the server yet.
    """
    known = shadow.verdicts.get(verdict.server)
    if known is None:
        return None
    judged = shadow.pool.verdicts[verdict.server].findings
    usual = {(each.reason, each.state) for each in verdict.findings}
    other = [each for each in judged if (each.reason, each.state) not in usual]
    return shadow_document(known) | {
        "settings": [str(each) for each in differences(shadow.cluster)],
        "judged": [finding_document(each) for each in other],
    }
