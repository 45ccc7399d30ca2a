"""The wheel has what an installation needs beside the modules."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_unit_scripts_examples_and_man_pages(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        modes = {each.filename: each.external_attr >> 16 for each in archive.infolist()}
    data = {name.partition(".data/data/")[2] for name in modes if ".data/data/" in name}

    pages = {f"share/{path.relative_to(ROOT)}" for path in (ROOT / "man").glob("man?/*")}
    examples = {
        f"share/doc/ldaphealth/{path.relative_to(ROOT)}"
        for path in (ROOT / "examples").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert pages | examples <= data
    assert "lib/systemd/system/ldaphealth-agent.service" in data
    for script in ("ldaphealth-check", "ldaphealth-fit"):
        (name,) = (each for each in modes if each.endswith(f"data/libexec/ldaphealth/{script}"))
        assert modes[name] & stat.S_IXUSR
