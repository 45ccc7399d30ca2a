"""A certificate authority for one cluster, and the certificates that it issues.

`demo/cluster.py` creates one for a cluster with TLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The three files that slapd.conf(5) requires."""

    authority: Path
    chain: Path
    key: Path


class Authority:
    """A certificate authority whose own certificate is in `file`, for clients to trust."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(
        self,
        name: str,
        identities: tuple[str, ...],
        *,
        common_name: str | None = None,
        valid_until: datetime | None = None,
    ) -> ServerCertificate:
        """Issue a certificate for host names and addresses (subjectAltName, RFC 6125).

        A client's certificate needs a `common_name` for slapd to map (authz-regexp in
        slapd.conf(5)). It is valid for the day before `valid_until`, if that is given.
        """
        issued = self._ca.issue_cert(
            *identities,
            common_name=common_name,
            not_before=valid_until and valid_until - timedelta(days=1),
            not_after=valid_until,
        )
        certificate = ServerCertificate(
            self.file, self._directory / f"{name}.pem", self._directory / f"{name}.key"
        )
        certificate.key.touch(mode=0o600)
        issued.private_key_pem.write_to_path(str(certificate.key))
        certificate.chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return certificate
