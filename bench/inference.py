"""What the engine costs on top of the bare interpreter: `python -m bench.inference [--json]`.

Both run the same model with the same threads, by turns, so that whatever else the machine does meets both alike.
The engine is fed 1280x720 bgr8 frames with something to be found in them. The last line of output is one JSON object:
`ratio_ssd` and `ratio_small`, frames a second of the engine over runs a second of the bare interpreter, for a large
and for a small model, drawing left out; `overlay_ms`, the time to copy a 720p frame and draw ten boxes into it.
"""

import argparse
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import skimage

from picam_webrtc.detection import BoundingBox, Detection, Detections
from picam_webrtc.frame import Frame
from picam_webrtc.inference.engine import Engine, InferenceResult
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.model import Model
from picam_webrtc.inference.overlay import draw
from picam_webrtc.models import fetch, stored_path
from picam_webrtc.settings import InferenceSettings

ROUNDS = 31
SECONDS_A_TURN = 0.3
WARM_UP_RUNS = 20
SERIES = 20
RUNS_A_SERIES = 50
THREADS = 1


def picture(name: str) -> Frame:
    pixels = cv2.imread(str(Path(skimage.__file__).parent / "data" / name))
    assert pixels is not None
    return Frame(cv2.resize(pixels, (1280, 720)), "bgr8", time.time_ns(), "camera_optical_frame")


def bare_rate(model: Model) -> float:
    """Runs a second of nothing but `interpreter.invoke()`."""
    invoke = model._interpreter.invoke
    runs, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS_A_TURN:
        invoke()
        runs += 1
    return runs / elapsed


class FedEngine:
    """An engine that always has a frame waiting."""

    def __init__(self, settings: InferenceSettings, frame: Frame) -> None:
        self._frame = frame
        self._count = 0
        self._stop_at = 0.0
        self._done = threading.Event()
        self._engine = Engine(settings, self._on_result)
        self.found: int | None = None

    def _on_result(self, result: InferenceResult) -> None:
        self._count += 1
        self.found = len(result.detections.items) if result.detections else None
        if time.perf_counter() < self._stop_at:
            self._engine.put(self._frame)
        else:
            self._done.set()

    def rate(self) -> float:
        """Frames a second over one turn."""
        with self._engine:
            self._count = 0
            self._done.clear()
            started = time.perf_counter()
            self._stop_at = started + SECONDS_A_TURN
            self._engine.put(self._frame)
            self._done.wait()
            return self._count / (time.perf_counter() - started)


def ratio(name: str, picture_name: str, report: Callable[[str], None]) -> float:
    fetch(name)
    settings = InferenceSettings(model=name, num_threads=THREADS, overlay=False)
    model = Model(stored_path(name), THREADS)
    engine = FedEngine(settings, picture(picture_name))
    for _ in range(WARM_UP_RUNS):
        model.run()
    engine.rate()
    turns = [(bare_rate(model), engine.rate()) for _ in range(ROUNDS)]
    bare, fed = (undisturbed(rates) for rates in zip(*turns, strict=True))
    report(f"{name}: bare {bare:.1f}/s, engine {fed:.1f}/s, {engine.found} found, ratio {fed / bare:.3f}")
    return fed / bare


def undisturbed(rates: Sequence[float]) -> float:
    """The rate of the turns in which the machine did little else: the upper quartile."""
    return statistics.quantiles(rates, n=4)[-1]


def overlay_ms() -> float:
    """Time to draw ten labelled boxes into a copy of a 720p frame: the median of the least disturbed series."""
    frame = picture("coffee.png")
    boxes = [BoundingBox(100 * n + 20, 40 * n + 60, 100 * n + 250, 40 * n + 280) for n in range(10)]
    items = tuple(Detection(n, "coffee cup", 0.87, box) for n, box in enumerate(boxes))
    findings = Findings(Detections(frame.stamp_ns, frame.frame_id, frame.width, frame.height, items))
    return (
        min(statistics.median(seconds_to_draw(frame, findings) for _ in range(RUNS_A_SERIES)) for _ in range(SERIES))
        * 1e3
    )


def seconds_to_draw(frame: Frame, findings: Findings) -> float:
    started = time.perf_counter()
    draw(frame, findings)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine against the bare interpreter.")
    parser.add_argument("--json", action="store_true", help="print nothing but the line of JSON")
    quiet = parser.parse_args().json

    def report(line: str) -> None:
        if not quiet:
            print(line, flush=True)

    figures = {
        "ratio_ssd": round(ratio("ssd_mobilenet_v2", "chelsea.png", report), 3),
        "ratio_small": round(ratio("face_detection", "astronaut.png", report), 3),
        "overlay_ms": round(overlay_ms(), 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
