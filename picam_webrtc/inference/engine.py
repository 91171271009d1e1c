"""Frames in, detections and pictures out, on a thread of its own. The newest frame wins."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Protocol, Self

from picam_webrtc.detection import Detections
from picam_webrtc.errors import ImageError, ModelError, ModelNotFetched, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.detector import load_model
from picam_webrtc.inference.figures import Figures, Snapshot
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.labels import Labels
from picam_webrtc.inference.overlay import draw
from picam_webrtc.inference.preprocess import drawable
from picam_webrtc.inference.sensor_detector import load_sensor_detector
from picam_webrtc.latest import NEWEST_ALONE, Latest
from picam_webrtc.settings import InferenceSettings

_logger = logging.getLogger(__name__)

MOST_PASSING = 8
"""Frames that may wait while no model looks at them: passing one on takes so little that only a stall holds them up."""
RTP_CLOCK_HZ = 90_000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class InferenceResult:
    """A frame that has been looked at, with its source's stamp and frame_id.

    `findings` is None when no model looked at it; `inference_ns` is the time that took, 0 then or where nobody knows.
    `drawn` tells whether the frame shows the findings.
    """

    frame: Frame
    findings: Findings | None = None
    inference_ns: int = 0
    drawn: bool = False

    @property
    def detections(self) -> Detections | None:
        """Those that were made in this very frame."""
        return self.findings.detections if self.findings is not None and self.findings.measured else None


class FrameDetector(Protocol):
    """What the engine asks of `Detector` and `SensorDetector`."""

    name: str
    task_name: str
    labels: Labels

    def detect(self, frame: Frame, settings: InferenceSettings, picture: Frame | None = None) -> Findings: ...


WITHOUT_DETECTOR = "none"
"""The `transform` that frames pass through."""
LOADERS: Mapping[str, Callable[[InferenceSettings], FrameDetector]] = MappingProxyType(
    {"tflite": load_model, "sensor": load_sensor_detector}
)
"""`transform` → what makes its detector, raising SettingError or ModelError."""
LOADED: Mapping[str, str] = MappingProxyType({"tflite": "tfLite model", "sensor": "network on the image sensor"})


def load_detector(settings: InferenceSettings) -> FrameDetector:
    return LOADERS[settings.transform](settings)


class Work(NamedTuple):
    """The frame that the model sees and the picture that is drawn on: usually the same."""

    frame: Frame
    picture: Frame


class Setup(NamedTuple):
    """What the thread works with, replaced as a whole so that it never sees half a change."""

    settings: InferenceSettings
    detector: FrameDetector | None

    @property
    def in_use(self) -> FrameDetector | None:
        """What looks at the frames; None while they pass through."""
        return self.detector if self.settings.enabled else None


class Engine:
    """Runs the model on the newest frame, one at a time, at most one waiting. Without a model every frame passes.

    Any thread may call any method. `on_result` is called on the thread `infer`.
    """

    def __init__(
        self,
        settings: InferenceSettings,
        on_result: Callable[[InferenceResult], None],
        load: Callable[[InferenceSettings], FrameDetector] = load_detector,
    ) -> None:
        self._setup = Setup(settings, None)
        self._on_result = on_result
        self._load = load
        self._prepared: Setup | None = None
        self._missed = ""
        self._figures = Figures()
        self._slot = Latest[Work]()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Load the model unless it is loaded. A known model that was not fetched costs a warning only.

        Raises SettingError for a parameter that cannot be used, ModelError where there is no TFLite runtime.
        """
        settings = self._setup.settings
        if settings.transform == WITHOUT_DETECTOR or self._setup.detector is not None:
            return
        try:
            self._setup = Setup(settings, self._loaded(settings))
        except ModelNotFetched as error:
            if settings.model != self._missed:  # once, not whenever somebody comes to watch
                self._missed = settings.model
                _logger.warning("Nothing is detected and frames pass through unchanged: %s", error)

    def start(self) -> None:
        """Begin, with the model loaded. Raises as `load` does."""
        if self._thread is not None:
            return
        self.load()
        self._slot = Latest[Work]()
        self._figures.restart()
        arguments = (_infer, self._slot, self._process)
        # In our context, so that its log lines appear where those of the caller do.
        self._thread = threading.Thread(target=copy_context().run, args=arguments, name="infer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the model stays loaded, so that `start` is quick."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._slot.close()
            thread.join()
            self._figures.dropped_before += self._slot.dropped
            self._slot = Latest[Work]()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def put(self, frame: Frame, picture: Frame | None = None) -> None:
        """Hand over a frame; one that waits for the model gives way. Drawn on is `picture`, `frame` by default."""
        self._figures.pace.count()
        self._slot.put(Work(frame, picture or frame), MOST_PASSING if self._setup.in_use is None else NEWEST_ALONE)

    def check(self, settings: InferenceSettings) -> None:
        """Find out whether `apply` will work, loading what is needed on the calling thread while frames go on.

        Raises SettingError or ModelError; nothing has changed then.
        """
        self._prepared = None
        current = self._setup
        if settings.transform == WITHOUT_DETECTOR or _same_model(settings, current.settings, current.detector):
            self._prepared = Setup(settings, current.detector)
            return
        try:
            self._prepared = Setup(settings, self._loaded(settings))
        except ModelNotFetched as error:
            if current.detector is not None or settings.model != current.settings.model:
                raise SettingError("model", settings.model, str(error)) from error
            # It was missing before: that is no reason to refuse another parameter.
            self._prepared = Setup(settings, None)

    def apply(self, settings: InferenceSettings) -> None:
        """Work with these settings from the next frame on. Raises as `check` does, unless that has been called."""
        if self._prepared is None or self._prepared.settings != settings:
            self.check(settings)
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            self._setup = prepared

    @property
    def settings(self) -> InferenceSettings:
        return self._setup.settings

    @property
    def labels(self) -> Labels:
        """The classes of the loaded model; none while none is loaded."""
        detector = self._setup.detector
        return Labels() if detector is None else detector.labels

    def snapshot(self) -> Snapshot:
        """What the engine has done, and how fast."""
        detector = self._setup.detector
        name, task = (detector.name, detector.task_name) if detector else ("", "")
        return self._figures.snapshot(name, task, running=self._thread is not None, dropped=self._slot.dropped)

    def _loaded(self, settings: InferenceSettings) -> FrameDetector:
        detector = self._load(settings)
        _logger.info("Using %s for transformation", LOADED[settings.transform])
        return detector

    def _process(self, work: Work) -> None:
        setup = self._setup
        result = InferenceResult(work.picture)
        if setup.in_use is not None:
            try:
                result = _transform(work, setup.settings, setup.in_use)
            except (ImageError, ModelError) as error:
                # A frame that cannot be used is shown as it came; the same complaint is not made at the frame rate.
                if self._figures.is_new_failure(str(error)):
                    _logger.error("Frames pass through unchanged: %s", error)
        self._figures.add(result.inference_ns, looked_at=result.detections is not None)
        pts = work.picture.stamp_ns * RTP_CLOCK_HZ // NS_PER_S
        _logger.debug("Processed and created new video frame at pts: %d", pts)
        self._on_result(result)


def _transform(work: Work, settings: InferenceSettings, detector: FrameDetector) -> InferenceResult:
    """Detect, and draw. Raises ImageError, ModelError."""
    started = time.perf_counter_ns()
    # What cannot be drawn on is converted once, for the model and for the overlay.
    picture = drawable(work.picture) if settings.overlay else work.picture
    frame = picture if work.frame is work.picture else work.frame
    findings = detector.detect(frame, settings, picture)
    elapsed = time.perf_counter_ns() - started if findings.inference_ns is None else findings.inference_ns
    shown = draw(picture, findings) if settings.overlay else picture
    return InferenceResult(shown, findings, elapsed, drawn=settings.overlay)


def _infer(slot: Latest[Work], process: Callable[[Work], None]) -> None:
    while (work := slot.take()) is not None:
        try:
            process(work)
        except Exception:
            # Whatever a callback does, the next frame is another chance; the thread must outlive it.
            _logger.exception("A frame of %d ns was lost", work.frame.stamp_ns)


def _same_model(one: InferenceSettings, other: InferenceSettings, detector: FrameDetector | None) -> bool:
    """Whether the loaded model serves both settings."""
    return detector is not None and all(getattr(one, name) == getattr(other, name) for name in LOADED_WITH)


LOADED_WITH = (
    *("model", "labels", "task", "input_mean", "input_std", "resize"),
    *("num_threads", "delegate", "delegate_options", "delegate_fallback"),
)
"""Parameters that a loaded model has been built from."""
