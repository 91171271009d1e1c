"""A distant subscriber to raw pictures slows nobody on the robot; where it may, that is seen, and counted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import far
from picam_webrtc.ros.process.shared_memory import PROFILE_VARIABLES
from picam_webrtc_test.pipeline import ROOT
from picam_webrtc_test.ros.two_hosts import available

pytestmark = [
    pytest.mark.ros,
    pytest.mark.heavy,
    pytest.mark.timeout(320),
    pytest.mark.skipif(not available(), reason="needs root, ip, tc and nft, for network namespaces"),
]

PROFILE = ROOT / "config/fastdds.xml"
NON_BLOCKING = "<non_blocking_send>true</non_blocking_send>"
FRAMES = 150
MOST_RUNS = 3
"""Where the camera does not even keep its rate with nobody far away, the machine has other things to do."""


def measured() -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.topics", "--far", "--json", "--frames", str(FRAMES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == bool(far.off_the_rate(result)), done.stderr
    return result


def test_the_camera_stays_at_its_rate_for_everybody_on_the_robot() -> None:
    for _ in range(MOST_RUNS):
        result = measured()
        if not far.off_the_rate({"alone": result["alone"]}):
            break

    assert {*result} == {"alone", "best_effort", "reliable"}
    for figures in result.values():
        assert {*figures} - {"far", "camera_cpu"} == {*far.ON_THE_ROBOT}
    assert far.off_the_rate(result) == []


def test_where_sending_blocks_only_the_topic_itself_is_slow(tmp_path: Path) -> None:
    text = PROFILE.read_text()
    assert NON_BLOCKING in text
    blocking = tmp_path / "blocking.xml"
    blocking.write_text(text.replace(NON_BLOCKING, ""))
    environment = dict.fromkeys(PROFILE_VARIABLES, str(blocking))

    figures = far.run(5.0, environment, {"best_effort": far.FAR_AWAY["best_effort"]})["best_effort"]

    pictures, infos = figures["image_raw:Image:reliable"], figures["camera_info:CameraInfo:reliable"]
    assert pictures["hz"] < 3
    assert infos["messages"] > 5 * 20


def test_a_rate_that_is_not_the_cameras_is_found() -> None:
    rates = dict(zip(far.ON_THE_ROBOT, (0.9, 29.8, None, 30.31), strict=True))
    result = {"reliable": {**{topic: {"hz": rate} for topic, rate in rates.items()}, "far": {"hz": 1.0}}}

    assert [line.partition(":")[2] for line in far.off_the_rate(result)] == [
        "Image:reliable, distant subscriber reliable: 0.9 Hz",
        "CameraInfo:reliable, distant subscriber reliable: None Hz",
        "CompressedImage:reliable, distant subscriber reliable: 30.31 Hz",
    ]
