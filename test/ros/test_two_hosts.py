"""Camera and model on a robot, webrtc_node on the ground, 20 Mbit/s and 1 % of loss between them."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import ROOT, NodeProcess, node_process
from picam_webrtc_test.ros.two_hosts import TwoHosts, available, python, two_hosts

pytestmark = [
    pytest.mark.ros,
    pytest.mark.heavy,
    pytest.mark.skipif(not available(), reason="needs root, ip, tc and nft"),
]

ROBOT: dict[str, ParameterValue] = {
    "source": "test_pattern",
    "transform": "none",
    "port": 0,
    "encoded_topics": "compressed_image",
}
GROUND: dict[str, ParameterValue] = {
    "streams": ("coded:=image_raw/h264", "small:=image_raw/compressed", "raw:=image_raw"),
    "port": 0,
}
SECONDS = 8
MOST_OF_30 = 20
"""Both hosts, and the viewer that decodes, are this one machine."""


class Ground:
    def __init__(self, hosts: TwoHosts, webrtc: NodeProcess) -> None:
        self._hosts = hosts
        self._url = webrtc.wait_for_line(r"The page is at (http://\S+)")[1]

    def witness(self, stream: str) -> dict[str, Any]:
        """What a viewer on the ground gets of a stream, and what /diagnostics says meanwhile."""
        command = [*self._hosts.ground, *python("picam_webrtc_test.ros.far_witness", self._url, stream, str(SECONDS))]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(self._hosts), capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return seen


def environment(hosts: TwoHosts) -> dict[str, str]:
    return {**os.environ, **hosts.environment}


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with two_hosts() as hosts:
        hosts.narrow(20)
        hosts.lose(1)
        seen = hosts.environment
        with (
            node_process(
                "picam_webrtc", ROBOT, "-r", "webrtc_node:__node:=coder", prefix=hosts.robot, environment=seen
            ),
            node_process("webrtc_node", GROUND, prefix=hosts.ground, environment=seen) as webrtc,
        ):
            yield Ground(hosts, webrtc)


@pytest.mark.parametrize("stream", ["coded", "small"])
def test_coded_and_compressed_topics_cross_a_narrow_and_lossy_link(ground: Ground, stream: str) -> None:
    seen = ground.witness(stream)

    assert seen["frame_rate"] > MOST_OF_30
    assert not [message for message in seen["messages"] if "too slow" in message]


def test_raw_pictures_do_not_and_diagnostics_say_so_and_what_to_do(ground: Ground) -> None:
    seen = ground.witness("raw")

    assert seen["frame_rate"] < 5
    said = [message for message in seen["messages"] if "/image_raw" in message]
    assert said, seen
    assert any("show /image_raw/compressed or /image_raw/h264" in message for message in said)
