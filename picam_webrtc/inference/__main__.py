"""Try a model on pictures, without ROS: `python -m picam_webrtc.inference MODEL IMAGE... [--json] [--save out.png]`.

Every parameter of inference_node that has a meaning for a single picture is an option.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from picam_webrtc.declaration import Declaration
from picam_webrtc.detection import Detections
from picam_webrtc.detection_json import detections_json
from picam_webrtc.errors import ImageError, PicamWebrtcError
from picam_webrtc.frame import Frame
from picam_webrtc.inference.detector import Detector, load_model
from picam_webrtc.inference.findings import Findings
from picam_webrtc.inference.overlay import draw
from picam_webrtc.settings import InferenceSettings

PROGRAM = "python3 -m picam_webrtc.inference"
NO_OPTIONS = frozenset({"transform", "model", "enabled", "overlay", "lores_topic", "class_ids"})
"""Parameters that mean nothing here, or are given otherwise."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at every picture; the exit code is 1 when one of them, or the model, could not be used."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        detector = load_model(settings)
    except PicamWebrtcError as error:
        return _complain(error)
    code = 0
    for image in options.images:
        try:
            _try(detector, settings, image, options)
        except PicamWebrtcError as error:
            code = _complain(error)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Try a TFLite model on pictures.")
    parser.add_argument("model", metavar="MODEL", help="path of a .tflite file, or a name: see picam_webrtc.models")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each picture: see docs/detections.md")
    parser.add_argument(
        "--save", metavar="FILE", type=Path, help="the picture with what was found drawn in; of several, FILE-<name>"
    )
    for declaration in _option_declarations():
        _add_option(parser, declaration)
    return parser


def _option_declarations() -> list[Declaration]:
    return [one for one in InferenceSettings.declarations() if one.name not in NO_OPTIONS]


def _add_option(parser: argparse.ArgumentParser, declaration: Declaration) -> None:
    name, text = "--" + declaration.name.replace("_", "-"), declaration.param.description.replace("%", "%%")
    if declaration.type is bool:
        parser.add_argument(name, action="store_true", help=text)
    elif declaration.type is tuple:
        parser.add_argument(name, action="append", metavar="VALUE", help=f"{text} (may be repeated)")
    else:
        choices = declaration.param.choices or None
        parser.add_argument(name, type=declaration.type, choices=choices, help=text)


def _settings(options: argparse.Namespace) -> InferenceSettings:
    given = {one.name: getattr(options, one.name) for one in _option_declarations()}
    return InferenceSettings.from_values(
        {"model": options.model} | {name: value for name, value in given.items() if value is not None}
    )


def _try(detector: Detector, settings: InferenceSettings, image: Path, options: argparse.Namespace) -> None:
    frame = read_picture(image)
    started = time.perf_counter_ns()
    findings = detector.detect(frame, settings)
    elapsed = time.perf_counter_ns() - started
    detections = replace(findings.detections, inference_ns=elapsed, drawn=options.save is not None)
    print(detections_json(detections) if options.json else _text(image, detections), flush=True)
    if options.save is not None:
        several = len(options.images) > 1
        save = options.save.with_stem(f"{options.save.stem}-{image.stem}") if several else options.save
        save_picture(draw(frame, Findings(detections, findings.class_map)), save)


def read_picture(path: Path) -> Frame:
    """The picture in a file, as 8-bit colour; its frame_id is the path. Raises ImageError."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}") from error
    except cv2.error as error:
        raise ImageError(f"{path} is no usable picture: {error.err}") from error
    if pixels is None:
        raise ImageError(f"{path} is no picture that OpenCV can read")
    return Frame(pixels, "bgr8", 0, str(path))


def save_picture(frame: Frame, path: Path) -> None:
    """Raises ImageError."""
    try:
        if cv2.imwrite(str(path), frame.pixels):
            return
        reason = "is the folder there, and writable?"
    except cv2.error:
        reason = "give a name that ends in .png or .jpg"
    raise ImageError(f"{path} cannot be written: {reason}")


def _text(image: Path, detections: Detections) -> str:
    milliseconds = detections.inference_ns / 1e6
    lines = [f"{image}: {detections.width}x{detections.height}, {milliseconds:.1f} ms, {len(detections.items)} found"]
    for found in detections.items:
        box = found.bbox
        lines.append(f"  {found.label} {found.score:.2f} at {box.x0:.0f},{box.y0:.0f} {box.width:.0f}x{box.height:.0f}")
        lines += [f"    {point.name} {point.score:.2f} at {point.x:.0f},{point.y:.0f}" for point in found.keypoints]
    return "\n".join(lines)


def _complain(error: PicamWebrtcError) -> int:
    print(f"{PROGRAM}: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
