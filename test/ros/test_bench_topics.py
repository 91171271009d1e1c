"""The bench of image topics runs, and finds what it is there to find."""

import json
import subprocess
import sys

import pytest

from picam_webrtc_test.pipeline import ROOT

FRAMES = 60


@pytest.mark.ros
@pytest.mark.heavy
@pytest.mark.timeout(240)
def test_ours_costs_less_than_the_textbook_way_and_loses_nothing() -> None:
    command = [sys.executable, "-m", "bench.topics", "--json", "--frames", str(FRAMES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    ours, textbook = result["ours"], result["textbook"]

    assert ours["lost_percent"] == 0
    assert ours["cpu_ms_per_frame"] < 0.7 * textbook["cpu_ms_per_frame"]
    assert ours["latency_ms_p50"] < textbook["latency_ms_p50"]
    assert result["best_effort_default"]["lost_percent"] > ours["lost_percent"]
    assert result["composed_ms_per_hop"] < 0.3
    assert all(0 < cost < 1000 / 30 for cost in result["rectify_cpu_ms_per_frame"].values())
    assert 0 < result["composed_cpu_ms_per_frame"] < result["three_processes_cpu_ms_per_frame"]


@pytest.mark.ros
@pytest.mark.parametrize("module", ["bench.naive_images", "bench.naive_camera", "bench.naive_server"])
def test_the_textbook_way_does_not_get_our_allocator(module: str) -> None:
    count = f"import sys, {module}; print(sum(name.startswith('picam_webrtc.ros') for name in sys.modules))"
    shown = subprocess.run((sys.executable, "-c", count), cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert int(shown) == 0
