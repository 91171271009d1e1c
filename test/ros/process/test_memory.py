"""What images needed stays with the process while more may come, and goes back when none do; nothing piles up."""

import gc
import subprocess
import sys
import weakref
from typing import Any

from std_msgs.msg import String

from picam_webrtc.ros.process.memory import forget_destroyed, keep_what_is_loaded, tidy
from picam_webrtc_test.ros.support import on_spin_thread, running_node, wait_until

BLOCKS, BLOCK_BYTES = 200, 1 << 20
FREE_IMAGES_BETWEEN_OTHERS = f"""
import numpy as np
from bench.process_figures import holdings
from picam_webrtc.ros.process.memory import give_back, keep_image_buffers

keep_image_buffers()
blocks = [np.ones({BLOCK_BYTES}, np.uint8) for _ in range({BLOCKS})]
full = holdings("self").rss_mb
del blocks[::2]
freed = holdings("self").rss_mb
give_back()
print(full - freed, freed - holdings("self").rss_mb)
"""


def test_freed_images_are_kept_until_they_are_given_back() -> None:
    command = (sys.executable, "-c", FREE_IMAGES_BETWEEN_OTHERS)
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    left_by_itself_mb, given_back_mb = map(float, shown.split())
    assert left_by_itself_mb < 1
    assert given_back_mb > 0.45 * BLOCKS


THREADS = 8
COUNT_ARENAS = f"""
import ctypes, os, sys, threading
from picam_webrtc import entry

def load():
    import picam_webrtc.ros.webrtc_node
    return 0

sys.modules["started"] = threading  # stands for a module of ours
threading.main = load
entry.EXECUTABLES["started"] = "started"
entry.run("started")
libc = ctypes.CDLL(None)
meeting = threading.Barrier({THREADS})

def allocate_at_once():
    meeting.wait()
    libc.malloc(2000)
    meeting.wait()

threads = [threading.Thread(target=allocate_at_once) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
end, other_end = os.pipe()
libc.fdopen.restype = ctypes.c_void_p
report = ctypes.c_void_p(libc.fdopen(other_end, b"w"))
libc.malloc_info(0, report)
libc.fclose(report)
print(open(end).read().count("<heap nr="))
"""


def test_a_node_has_one_arena_for_all_threads_which_gives_back_its_end() -> None:
    shown = subprocess.run((sys.executable, "-c", COUNT_ARENAS), check=True, capture_output=True, text=True).stdout

    assert int(shown) == 1


def test_nothing_is_kept_of_a_subscription_that_is_destroyed() -> None:
    heard: list[str] = []
    with running_node("listener") as (runtime, node):
        runtime.spin()
        publisher = node.create_publisher(String, "words", 1)
        entities = node.default_callback_group.entities

        def subscribe() -> Any:
            return node.create_subscription(String, "words", lambda word: heard.append(word.data), 1)

        def come_go_and_stay() -> None:
            for _ in range(20):
                node.destroy_subscription(subscribe())
            assert any(entity() is None for entity in entities)
            forget_destroyed(node)
            assert all(entity() is not None for entity in entities)
            subscribe()

        on_spin_thread(runtime, come_go_and_stay)
        wait_until(lambda: publisher.get_subscription_count(), "the subscription")
        publisher.publish(String(data="still here"))
        wait_until(lambda: heard == ["still here"], "what is said afterwards")


class Connection:
    def __init__(self) -> None:
        self.itself = self


def test_what_refers_to_itself_is_freed_when_no_more_images_come() -> None:
    with running_node("listener") as (_, node):
        ended = weakref.ref(Connection())
        tidy(node)

    assert ended() is None


def test_what_was_loaded_to_last_is_never_looked_at_again() -> None:
    loaded = [Connection()]
    keep_what_is_loaded()
    try:
        assert not any(one is loaded for one in gc.get_objects())
    finally:
        gc.unfreeze()
    assert any(one is loaded for one in gc.get_objects())
