"""add_streams says what it waits for, what it has added, and what it has taken back."""

import time

import pytest
from rcl_interfaces.msg import Log

from picam_webrtc.ros.streams.add_streams import StreamKeeper
from picam_webrtc_test.pipeline import node_process
from picam_webrtc_test.ros.support import on_spin_thread, running_node, wait_until

pytestmark = pytest.mark.ros

SAID_WITHIN_S = 3.0
ADDED = "left_raw:=/robot/left/cam/image"


def test_an_absent_webrtc_node_is_named_within_3_s_and_only_once() -> None:
    said = list[str]()
    with running_node("add_streams") as (runtime, node):
        node.create_subscription(Log, "/rosout", lambda message: said.append(message.msg), 10)
        began_s = time.monotonic()
        keeper = StreamKeeper(node, "/robot/webrtc_node", ["left_raw:=/left/image_raw"])
        runtime.spin()
        wait_until(lambda: said, "the warning", SAID_WITHIN_S)
        wait_until(lambda: time.monotonic() - began_s > 2 * SAID_WITHIN_S, "twice that time")
        on_spin_thread(runtime, keeper.close)

    (warning,) = said
    assert warning.startswith("/robot/webrtc_node is not there: waiting for it")


def test_it_waits_for_webrtc_node_and_takes_back_what_it_has_added() -> None:
    arguments = ["--to", "/robot/webrtc_node", "left_raw=image_raw"]
    remaps = ("-r", "__ns:=/robot/left", "-r", "image_raw:=cam/image")
    with node_process("add_streams", None, *remaps, arguments=arguments) as adding:
        adding.wait_for_line("/robot/webrtc_node is not there: waiting for it")
        with node_process("webrtc_node", {"port": 0}, "-r", "__ns:=/robot") as web:
            web.wait_for_line("Stream left_raw shows /robot/left/cam/image")
            adding.wait_for_line(f"/robot/webrtc_node serves what was asked: {ADDED}$")
            assert adding.stop() == 0
            web.wait_for_line("Stream left_raw is no more")

    assert f"/robot/webrtc_node no longer serves what was added here: {ADDED}" in adding.lines[-1]
    assert "Traceback" not in adding.output
