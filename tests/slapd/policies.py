"""A cluster with password policies (slapo-ppolicy(5)), and an account for each of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from demo.cluster import Cluster
from demo.node import DATABASE
from demo.tree import SERVICES, SUFFIX

POLICIES = f"ou=policies,{SUFFIX}"
OVERLAY = f"""\
objectClass: olcOverlayConfig
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
olcPPolicyDefault: cn=default,{POLICIES}
olcPPolicyUseLockout: TRUE"""
DAY_SECONDS = 86400
POLICY = {
    "default": "pwdLockout: TRUE\npwdMaxFailure: 5",
    "expires": f"pwdMaxAge: {10 * DAY_SECONDS}\npwdExpireWarning: {20 * DAY_SECONDS}",
    "grace": "pwdMaxAge: 1\npwdGraceAuthnLimit: 3",
    "expired": "pwdMaxAge: 1",
    "reset": "pwdMustChange: TRUE",
}
PASSWORD = "only for tests"


@contextmanager
def cluster_with_policies() -> Iterator[Cluster]:
    """Yield four nodes with password policies, and an account for each of them."""
    with Cluster(size=4) as cluster:
        for node in cluster.nodes:
            node.root.modify("cn=module{0},cn=config", "add: olcModuleLoad\nolcModuleLoad: ppolicy")
            node.root.add(f"olcOverlay=ppolicy,{DATABASE}", OVERLAY)
        root = cluster.nodes[0].root
        root.add(POLICIES, "objectClass: organizationalUnit\nou: policies")
        for name, lines in POLICY.items():
            kind = "objectClass: device\nobjectClass: pwdPolicy\npwdAttribute: userPassword"
            root.add(f"cn={name},{POLICIES}", f"{kind}\ncn: {name}\n{lines}")
            root.add(
                dn_of(name),
                "objectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
                f"cn: {name}\npwdPolicySubentry: cn={name},{POLICIES}\nuserPassword: {PASSWORD}",
            )
        time.sleep(2.0)  # longer than pwdMaxAge of those that expire
        cluster.wait_until_level()
        yield cluster


def dn_of(name: str) -> str:
    return f"cn={name},{SERVICES}"


def failures(cluster: Cluster, dn: str) -> int:
    """Return how many binds with a wrong password the server with the most has counted."""
    return max(len(node.root.read(dn, "pwdFailureTime")) for node in cluster.nodes)


def is_locked(cluster: Cluster, dn: str) -> bool:
    """Return whether a server has locked the account."""
    return any(node.root.read(dn, "pwdAccountLockedTime") for node in cluster.nodes)
