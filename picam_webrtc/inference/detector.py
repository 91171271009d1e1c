"""A model that is ready for frames: its file, task, labels and preprocessing put together."""

import logging
from pathlib import Path
from typing import Any, Protocol

from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.findings import Findings, findings
from picam_webrtc.inference.labels import Labels, read_labels
from picam_webrtc.inference.model import Model, default_threads, load_delegate
from picam_webrtc.inference.preprocess import Preprocessor, drawable, pixel_table
from picam_webrtc.inference.tasks import Task, recognise
from picam_webrtc.inference.tensors import Array, ImageInput, Signature, image_input
from picam_webrtc.models import AUTO, PREFERRED, locate
from picam_webrtc.settings import InferenceSettings

_logger = logging.getLogger(__name__)


class RunnableModel(Protocol):
    """What a detector asks of `Model`."""

    def input_view(self) -> Array: ...

    def run(self) -> list[Array]: ...


class Detector:
    """Runs one model on frames. For one thread at a time."""

    def __init__(self, name: str, model: RunnableModel, task: Task, labels: Labels, preprocessor: Preprocessor) -> None:
        self.name = name
        self.task_name = task.name
        self.labels = labels
        self._task = task
        self._model = model
        self._preprocessor = preprocessor

    def detect(self, frame: Frame, settings: InferenceSettings, picture: Frame | None = None) -> Findings:
        """What the model finds in `frame`, in pixels of `picture`, the same scene at another size; default `frame`.

        Raises ImageError for a frame that cannot be used, ModelError when the model fails on it.
        """
        placement = self._preprocessor.write(drawable(frame), self._model.input_view())
        candidates = self._task.decoder.decode(self._model.run(), settings.threshold)
        return findings(candidates, self._task, self.labels, placement, picture or frame, settings)


def load_model(settings: InferenceSettings) -> Detector:
    """The model that the settings name, ready for frames.

    Raises ModelNotFetched for a known model that is not here, SettingError naming the parameter that is to blame,
    ModelError where there is no TFLite runtime.
    """
    path = locate(settings.model)
    if settings.model == AUTO and path.stem != PREFERRED[0]:
        _logger.warning("%s has not been fetched; using %s", PREFERRED[0], path.stem)
    model = Model(path, settings.num_threads or default_threads(), _delegates(settings))
    source = image_input(model.signature)
    task = _task(settings, path, model.signature, source)
    labels = _labels(settings, path, model.signature.metadata.labels) or task.labels
    preprocessor = _preprocessor(settings, model.signature, task)
    _logger.info("Loaded the %s model %s: %s", task.name, path, model.signature)
    return Detector(path.stem, model, task, labels.fitted(task.classes), preprocessor)


def _delegates(settings: InferenceSettings) -> list[Any]:
    if not settings.delegate:
        return []
    try:
        return [load_delegate(settings.delegate, settings.delegate_options)]
    except SettingError as error:
        if not settings.delegate_fallback or error.parameter != "delegate":
            raise
        _logger.warning("Inference runs on the CPU: %s", error)
        return []


def _task(settings: InferenceSettings, path: Path, signature: Signature, source: ImageInput | None) -> Task:
    if source is None:
        reason = f"takes no single picture ({signature}); expected one input [1,h,w,3], [1,h,w,1] or [1,3,h,w]"
        raise SettingError("model", str(path), reason)
    wanted = settings.task
    if wanted == "auto" and signature.metadata.task:
        wanted = signature.metadata.task
    try:
        return recognise(signature, source, wanted)
    except ModelError as error:
        blamed, value = ("model", str(path)) if settings.task == "auto" else ("task", settings.task)
        raise SettingError(blamed, value, f"{error}; the parameter task overrides") from error


def _labels(settings: InferenceSettings, path: Path, inside: Labels | None) -> Labels | None:
    beside = path.with_suffix(".txt")
    if not settings.labels and (inside is not None or not beside.is_file()):
        return inside
    return read_labels(settings.labels or beside)


def _preprocessor(settings: InferenceSettings, signature: Signature, task: Task) -> Preprocessor:
    source = image_input(signature)
    assert source is not None  # noqa: S101  (the task was recognised, so there is one)
    mean, std = task.normalization
    metadata = signature.metadata
    given = bool(settings.input_std or (metadata.mean and metadata.std and metadata.std[0]))
    if settings.input_std:
        mean, std = settings.input_mean, settings.input_std
    elif given:
        mean, std = metadata.mean[0], metadata.std[0]
    elif source.tensor.dtype.kind == "f":
        _logger.info("The model does not say how its input is normalised; (pixel - %g) / %g is assumed", mean, std)
    letterbox = (task.resize if settings.resize == "auto" else settings.resize) == "letterbox"
    return Preprocessor(source, pixel_table(source.tensor, mean, std, given), letterbox)
