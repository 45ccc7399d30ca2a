"""Control probes: what ldapsearch and ldapmodify from outside, through the proxy, see of a fault.

A row of the table says what they must see at each server; a fault that they do not see was not
injected, and its trial counts for nothing.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.faults.site import Site
from demo.client import ENVIRONMENT, parse
from demo.programs import find
from demo.tree import CANARIES, PEOPLE, PEOPLE_COUNT, SUFFIX, person

WAIT_SECONDS = 3.0
QUICK_SECONDS = 1.0
LOCAL_CODE = 128  # exit statuses from here are libldap's own codes below zero: no LDAP answer
INSUFFICIENT_ACCESS = 50
UNSEEN = "the same entryCSN, and another value"
CONNECT_ERROR = "Connect error"  # what libldap says when TLS does not come about


@dataclass(frozen=True, slots=True)
class Seen:
    """How a program of ldap-utils ended; code None: not within WAIT_SECONDS."""

    code: int | None
    seconds: float
    text: str
    output: str

    def __str__(self) -> str:
        return f"code {self.code} after {self.seconds:.1f} s {self.text[:100]}".strip()


Probe = Callable[[Site, int], Seen]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What must be seen at a server, in words, and how."""

    what: str
    probe: Probe
    holds: Callable[[Seen], bool]

    def is_shown(self, site: Site, server: int) -> str:
        """Probe once; return what was seen instead, or nothing if it was shown."""
        seen = self.probe(site, server)
        return "" if self.holds(seen) else str(seen)


@dataclass(frozen=True, slots=True)
class As:
    """As whom a program connects: the check account or the rootdn, trusting whom."""

    root: bool = False
    verify: bool = True


CHECK, ROOT = As(), As(root=True)


def run(
    site: Site, server: int, command: Sequence[str], *, ldif: str = "", who: As = CHECK
) -> Seen:
    """Run ldapsearch or another program of ldap-utils."""
    program, *arguments = command
    accounts = site.cluster.accounts
    account = accounts.root if who.root else accounts.check
    environment = dict(ENVIRONMENT)
    secure = []
    if site.shape.tls:
        secure = ["-ZZ"]
        environment = tls_environment(site)
    if not who.verify:
        environment["LDAPTLS_REQCERT"] = "never"
    bind = ["-x", "-H", site.uri(server), *secure]
    bind += ["-D", account.dn, "-y", str(account.password_file)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            [find(program), *bind, *arguments],
            input=ldif,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=WAIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Seen(None, time.monotonic() - began, "", "")
    text = " ".join(done.stderr.split())
    return Seen(done.returncode, time.monotonic() - began, text, done.stdout)


def tls_environment(site: Site) -> dict[str, str]:
    """Return the environment in which programs with libldap trust the cluster's authority."""
    environment = {
        "PATH": ENVIRONMENT["PATH"],
        "LDAPTLS_CACERT": str(site.cluster.ca_file),
        "LDAPCONF": "/dev/null",
    }
    if site.client_certificate:
        chain, key = site.client_certificate
        environment |= {"LDAPTLS_CERT": str(chain), "LDAPTLS_KEY": str(key)}
    return environment


def search(base: str = PEOPLE, scope: str = "one", *attributes: str) -> Probe:
    """Search with ldapsearch(1)."""

    def probe(site: Site, server: int) -> Seen:
        wanted = ("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope)
        return run(site, server, (*wanted, "(objectClass=*)", *attributes))

    return probe


def write(dn: str, who: As) -> Probe:
    """Change an entry with ldapmodify(1) in a way that changes nothing if it fails."""
    change = f"dn: {dn}\nchangetype: modify\nadd: description\ndescription: probed\n"

    def probe(site: Site, server: int) -> Seen:
        return run(site, server, ("ldapmodify",), ldif=change, who=who)

    return probe


def several(count: int, probe: Probe, holds: Callable[[Seen], bool]) -> Probe:
    """Probe until one is as wanted, so often at most; return that one or the last."""

    def probed(site: Site, server: int) -> Seen:
        for _ in range(count):
            seen = probe(site, server)
            if holds(seen):
                break
        return seen

    return probed


def _context_csn(site: Site, server: int) -> Seen:
    """Read contextCSN, once more after a second, and return it only if it stood still or differs.

    `text` says whether the server lacked for that second what others have: `lacks`, `has more`,
    both or neither.
    """
    before = {number: _read_csn(site, number) for number in range(1, 5)}
    time.sleep(QUICK_SECONDS)
    after = _read_csn(site, server)
    others = [values for number, values in before.items() if number != server]
    lacks = any(not values <= after and not _covers(after, values) for values in others)
    more = any(not _covers(values, before[server]) for values in others)
    text = " ".join(word for word, so in (("lacks", lacks), ("has more", more)) if so)
    return Seen(0, QUICK_SECONDS, text, "")


def _read_csn(site: Site, server: int) -> set[str]:
    wanted = ("ldapsearch", "-LLL", "-b", SUFFIX, "-s", "base", "(objectClass=*)", "contextCSN")
    seen = run(site, server, wanted, who=ROOT)
    entries = parse(seen.output) if seen.code == 0 else []
    return set(entries[0].get("contextCSN", ())) if entries else set()


def _covers(vector: set[str], other: set[str]) -> bool:
    """Tell whether a vector has all changes of another: the newer CSN of an ID covers."""
    newest = {csn.split("#")[2]: csn for csn in vector}
    return all(newest.get(csn.split("#")[2], "") >= csn for csn in other)


def _unverified(site: Site, server: int) -> Seen:
    """Search without verifying the certificate; `text` is from the same search that verifies it."""
    wanted = ("ldapsearch", "-LLL", "-b", SUFFIX, "-s", "base", "(objectClass=*)")
    verified = run(site, server, wanted)
    return replace(run(site, server, wanted, who=As(verify=False)), text=verified.text)


def no_answer(seen: Seen) -> bool:
    """Nothing that is LDAP, or nothing in time."""
    return seen.code is None or seen.code >= LOCAL_CODE


def no_quick_answer(seen: Seen) -> bool:
    """Nothing that is LDAP, or a late answer."""
    return no_answer(seen) or seen.seconds > QUICK_SECONDS


HEALTHY = Evidence(
    "a quick answer with all people",
    search(),
    lambda seen: (
        seen.code == 0 and seen.seconds < QUICK_SECONDS and len(parse(seen.output)) == PEOPLE_COUNT
    ),
)
BREAKS = Evidence(
    "no LDAP service", search(), lambda seen: seen.code is not None and no_answer(seen)
)
HANGS = Evidence("no answer in time", search(), lambda seen: seen.code is None)
DEAD = Evidence("no LDAP service, or no answer in time", search(), no_answer)
AT_TIMES = Evidence(
    "no LDAP service, or a late answer, at times",
    several(8, search(), no_quick_answer),
    no_quick_answer,
)
LACKS = Evidence(
    "it lacks changes that others have", _context_csn, lambda seen: "lacks" in seen.text
)
HAS_MORE = Evidence(
    "it has changes that others lack", _context_csn, lambda seen: "has more" in seen.text
)
DIFFERS = Evidence(
    "its changes and those of others differ", _context_csn, lambda seen: bool(seen.text)
)
REFUSES_TLS = Evidence(
    "the certificate is not trusted, and without verification there is an answer",
    _unverified,
    lambda seen: CONNECT_ERROR in seen.text and seen.code == 0,
)
REFUSES_CERTIFICATE = Evidence(
    "the client's certificate is not taken",
    search(),
    lambda seen: seen.code is not None and seen.code != 0,
)
CANNOT_WRITE_CANARY = Evidence(
    "the check account may add nothing below its container",
    write(CANARIES, CHECK),
    lambda seen: seen.code == INSUFFICIENT_ACCESS,
)


def late(seconds: float) -> Evidence:
    """Return that a right answer takes so long at least."""
    return Evidence(
        f"an answer after {seconds:g} s or more",
        search(SUFFIX, "base"),
        lambda seen: seen.seconds >= seconds and seen.code in (0, None),
    )


def code(number: int, base: str = PEOPLE, scope: str = "one", *, tries: int = 1) -> Evidence:
    """Return that a search ends with a result code of RFC 4511, 4.1.9."""

    def holds(seen: Seen) -> bool:
        return seen.code == number

    return Evidence(f"result code {number}", several(tries, search(base, scope), holds), holds)


def write_code(number: int) -> Evidence:
    """Return that a modify ends with a result code."""
    return Evidence(
        f"result code {number} to a write",
        write(person(PEOPLE_COUNT), ROOT),
        lambda seen: seen.code == number,
    )


def entries(base: str, count: int) -> Evidence:
    """Return that there are so many entries one level below, without an error."""
    return Evidence(
        f"{count} entries below {base}",
        search(base),
        lambda seen: seen.code == 0 and len(parse(seen.output)) == count,
    )


def people(count: int) -> Evidence:
    """Return that there are so many people, without an error."""
    return entries(PEOPLE, count)


def value(dn: str, attribute: str, expected: str) -> Evidence:
    """Return that an entry has a value; an empty text: none."""

    def holds(seen: Seen) -> bool:
        entries = parse(seen.output) if seen.code == 0 else []
        return bool(entries) and "".join(entries[0].get(attribute, ())) == expected

    what = f"{attribute} {expected}" if expected else f"no {attribute}"
    return Evidence(f"{what} in {dn}", search(dn, "base", attribute), holds)


def wrong_under_one_csn(dn: str, attribute: str, wrong: str) -> Evidence:
    """Return that an entry has another value than at the first server, and the same entryCSN."""

    def probe(site: Site, server: int) -> Seen:
        wanted = search(dn, "base", attribute, "entryCSN")
        here, there = wanted(site, server), wanted(site, 1)
        if here.code or there.code:
            return here if here.code else there
        (own,), (right,) = parse(here.output), parse(there.output)
        same_csn = own["entryCSN"] == right["entryCSN"]
        differs = own[attribute] == (wrong,) != right[attribute]
        return replace(here, text=UNSEEN if same_csn and differs else f"{own}, at ldap1 {right}")

    what = f"another {attribute} under the same entryCSN in {dn}"
    return Evidence(what, probe, lambda seen: seen.text == UNSEEN)
