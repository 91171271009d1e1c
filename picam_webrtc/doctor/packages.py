"""Third-party packages: their versions against the table, and whether each of them can really be imported."""

import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from picam_webrtc.dependencies import (
    CONSTRAINTS,
    DEPENDENCIES,
    OPTIONAL,
    Dependency,
    Fault,
    Use,
    fits,
    found_version,
    in_environment,
    is_there,
    pip_install,
    remedy,
)
from picam_webrtc.doctor.children import Answer, Answers, Step
from picam_webrtc.doctor.finding import Finding, broken, ok, unknown, warning

BY_MODULE = {one.module: one for one in DEPENDENCIES}
NUMPY, OPENCV = BY_MODULE["numpy"], BY_MODULE["cv2"]
BUILT_FOR_NUMPY_1 = re.compile(r"numpy\.core\.multiarray|_ARRAY_API|compiled using NumPy 1")
"""What an extension that was built for numpy 1 says when it meets numpy 2."""
CV_BRIDGE = "cv_bridge"
CONVERT = Step("convert_picture")
FIT = "numpy with OpenCV"
FIRST_OPENCV_FOR_NUMPY_2 = "4.10"


def children() -> list[list[Step]]:
    """The web's packages are small and share a child; those with much to load have one each."""
    small = [one.module for one in DEPENDENCIES if one.use is Use.WEB and one.module != "aiortc"]
    pictures = ["numpy", "cv2", *([CV_BRIDGE] if is_there(CV_BRIDGE) else [])]
    groups = (["yaml", *small], pictures, ["av", "aiortc"], ["simplejpeg", "rosbags.highlevel"])
    steps = [[_step(module) for module in group if is_there(module)] for group in groups]
    if is_there("numpy") and is_there("cv2"):
        steps[1].append(CONVERT)
    return steps


def _step(module: str) -> Step:
    return Step("import_module", module)


def packages(answers: Answers) -> Iterator[Finding]:
    """A line for each dependency; of a model's runtime `model` tells."""
    clash = _clash(answers)
    for one in DEPENDENCIES:
        if one.use is not Use.MODEL and not (clash and one is OPENCV):
            yield _package(one, found_version(one), answers.get(_step(one.module), Answer()))
    if clash:
        yield clash
    elif CONVERT in answers:
        yield _conversion(answers[CONVERT])


def _package(one: Dependency, version: str | None, answer: Answer) -> Finding:
    check, use = one.distribution, f"it is for {one.use.value}"
    complain = warning if one.use in OPTIONAL else broken
    if version is None and one.use in OPTIONAL:
        return ok(check, f"is not installed; {use} only")
    version = version if version is None else version or answer.value or ""
    if version is None or not fits(one, version):
        return complain(check, f"{Fault(one, version).reason}; {use}", remedy([one]))
    if answer.untold:
        return unknown(check, f"{version}{', ' * bool(version)}{answer.error}", answer.untold)
    if answer.error:
        return complain(check, f"{version} cannot be used: {answer.error}; {use}", again(one))
    return ok(check, version or "of a version that it does not tell")


def again(one: Dependency) -> str:
    """The command that installs it anew."""
    if not in_environment():
        return remedy([one])
    return f"run {pip_install('--force-reinstall', one.requirement)}"


def _clash(answers: Answers) -> Finding | None:
    """What was built for numpy 1 does not work with numpy 2."""
    for module, name in (("cv2", "OpenCV"), (CV_BRIDGE, "cv_bridge")):
        error = answers.get(_step(module), Answer()).error
        if BUILT_FOR_NUMPY_1.search(error):
            found = f"{name} was built for numpy 1, and this is numpy {found_version(NUMPY)} ({error})"
            return broken(FIT, found, _unify(module))
    return None


def _unify(module: str) -> str:
    """A newer OpenCV where it is the environment's own; else an older numpy, and with it what LiteRT wants of it.

    In the environment that install.sh made they fitted, until somebody installed another into it.
    """
    if not in_environment():
        return remedy([NUMPY, OPENCV])
    prefix = Path(sys.prefix)
    if (prefix / CONSTRAINTS).is_file():
        return (
            f"have it made anew: rm -r {shlex.quote(str(prefix))} && {shlex.quote(str(prefix.parent / 'install.sh'))}"
        )
    spec = find_spec(module)
    if module == "cv2" and spec and spec.origin and spec.origin.startswith(sys.prefix):
        return f"run {pip_install('--upgrade', f'{OPENCV.distribution}>={FIRST_OPENCV_FOR_NUMPY_2}')}"
    return f"run {pip_install('numpy<2', 'ml_dtypes<0.6')}"  # a later ml_dtypes asks for numpy 2


def _conversion(answer: Answer) -> Finding:
    if answer.untold:
        return unknown(FIT, answer.error, answer.untold)
    if answer.error or not answer.value:
        return broken(FIT, f"OpenCV cannot work on numpy's arrays: {answer.error or 'wrong result'}", again(OPENCV))
    users = "OpenCV and cv_bridge work" if is_there(CV_BRIDGE) else "OpenCV works"
    return ok(FIT, f"{users} on arrays of numpy {found_version(NUMPY)}")
