"""What a capture process costs: `python -m bench.capture [--json]`, as root, with debootstrap (see test/install).

The real Picamera2 in its tree gives 1280x720 nv12 at 30 frames a second from a virtual camera: to a reader in the same
process, and through a capture process in the tree to a reader outside, under this Python. Both by turns, so that what
else the machine does meets both alike. `own` and `served` each have `frames` of `expected`, counted by their stamps;
`latency_ms_p50` and `latency_ms_p95`, from the stamp to the frame in the reader's hand; `cpu_ms_per_frame`, of both
processes together. `added` is the difference. The last line of output is one JSON object.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from picam_webrtc_test.install.trees import command_in, tree_of

FRAME_RATE = 30
NS_PER_S = 1e9


def own(tree: Path, frames: int) -> dict[str, Any]:
    return reading(command_in(tree, "python3", "-m", "picam_webrtc_test.picamera2.reader", str(frames)))


def served(tree: Path, frames: int) -> dict[str, Any]:
    capture_process = [
        "env",
        "WITHOUT_ROS=yes",
        *command_in(tree, "python3", "-I", "picam_webrtc_test/picamera2/serve.py"),
    ]
    return reading([sys.executable, "-m", "bench.capture_reader", str(frames), *capture_process])


def reading(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def figures(turns: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Of several readings together."""
    ages_ms = np.concatenate([turn["ages_ns"] for turn in turns]) / 1e6
    frames = len(ages_ms)
    spent_s = sum(turn["reader_s"] + turn["other_s"] for turn in turns)
    return {
        "frames": frames,
        "expected": frames + sum(max(0, missing(turn["stamps"])) for turn in turns),
        "latency_ms_p50": round(float(np.percentile(ages_ms, 50)), 3),
        "latency_ms_p95": round(float(np.percentile(ages_ms, 95)), 3),
        "cpu_ms_per_frame": round(1000 * spent_s / frames, 3),
        "reader_cpu_ms_per_frame": round(1000 * sum(turn["reader_s"] for turn in turns) / frames, 3),
    }


def missing(stamps: Sequence[int]) -> int:
    """Summed up: the virtual camera takes its stamps late at times, and two periods, then none, lose no frame."""
    return int((np.rint(np.diff(stamps) * FRAME_RATE / NS_PER_S) - 1).sum())


def run(tree: Path, seconds: float, turns: int) -> dict[str, Any]:
    frames = round(seconds * FRAME_RATE / turns)
    readings: dict[str, list[dict[str, Any]]] = {"own": [], "served": []}
    for _ in range(turns):
        readings["own"].append(own(tree, frames))
        readings["served"].append(served(tree, frames))
    result = {name: figures(one) for name, one in readings.items()}
    compared = ("latency_ms_p50", "latency_ms_p95", "cpu_ms_per_frame")
    added = {name: round(result["served"][name] - result["own"][name], 3) for name in compared}
    load = round(os.getloadavg()[0], 1)
    return {**result, "added": added, "reader_python": platform.python_version(), "load_average": load}


def main() -> None:
    parser = argparse.ArgumentParser(description="What a capture process costs.")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured each way")
    parser.add_argument("--turns", type=int, default=3, help="that these are split into")
    arguments = parser.parse_args()
    result = run(tree_of("trixie"), arguments.seconds, arguments.turns)
    if not arguments.json:
        for name in ("own", "served", "added"):
            print(name, *(f"{key} {value}" for key, value in result[name].items()), sep="  ")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
