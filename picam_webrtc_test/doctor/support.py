"""The doctor as a user starts it, and its lines as a mapping."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from picam_webrtc.doctor.finding import Finding, Level

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


@dataclass(frozen=True)
class Diagnosis:
    exit_code: int
    findings: tuple[Finding, ...]

    def __getitem__(self, check: str) -> Finding:
        """The only line about that."""
        (found,) = (one for one in self.findings if one.check == check)
        return found

    @property
    def checks(self) -> set[str]:
        return {one.check for one in self.findings}


def doctor(
    *arguments: str,
    python: str = sys.executable,
    before: Sequence[Path] = (),
    environment: Mapping[str, str] = {},
    folder: Path = ROOT,
    prefix: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """`before` are folders of modules that come ahead of the installed ones."""
    path = os.pathsep.join(map(str, [*before, ROOT]))
    return subprocess.run(
        [*prefix, python, "-m", "picam_webrtc.doctor", f"--timeout={PATIENCE_S}", *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment}, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def diagnose(*arguments: str, **how: object) -> Diagnosis:
    """What it found, of any port: others may use theirs."""
    ended = doctor("--json", "--port=0", *arguments, **how)  # type: ignore[arg-type]
    assert not ended.stderr
    report = json.loads(ended.stdout)
    findings = (Finding(**{**one, "level": Level(one["level"])}) for one in report["findings"])
    return Diagnosis(ended.returncode, tuple(findings))


def module(folder: Path, name: str, code: str = "", info: str = "") -> Path:
    """A module with that code, and what tells its version; the folder to import it from."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    if info:
        (folder / info).mkdir()
    return folder
