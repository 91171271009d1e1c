"""What is watched comes by in time, or the process ends."""

import subprocess
import sys

from picam_webrtc.camera.hang_guard import HangGuard


def test_it_counts_anew_a_few_times_in_a_limit_and_not_at_every_frame() -> None:
    armed: list[float] = []
    guard = HangGuard(armed.append, lambda: armed.append(0.0))
    for _ in range(100):
        guard.watch(60.0)

    assert armed == [60.0]


def test_it_rests_when_told() -> None:
    armed: list[float] = []
    guard = HangGuard(armed.append, lambda: armed.append(0.0))
    guard.watch(60.0)
    with guard.watching(5.0):
        pass
    guard.rest()
    guard.watch(60.0)

    assert armed == [60.0, 0.0, 5.0, 0.0, 60.0]


def test_a_process_that_keeps_the_interpreter_lock_ends_and_says_where_it_hung() -> None:
    hang = (
        "import ctypes; from picam_webrtc.camera.hang_guard import HangGuard\n"
        "def driver(): ctypes.PyDLL(None).sleep(60)\n"
        "HangGuard().watch(0.2); driver()"
    )
    ended = subprocess.run([sys.executable, "-c", hang], capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    assert "in driver" in ended.stderr
