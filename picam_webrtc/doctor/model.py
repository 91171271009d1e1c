"""What detects: a TFLite runtime, and a model that is whole and that it can load."""

import hashlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from picam_webrtc.dependencies import DEPENDENCIES, Fault, Use, fits, found_version, is_there, remedy
from picam_webrtc.doctor.children import Answers, Step
from picam_webrtc.doctor.finding import Finding, broken, ok, unknown, warning
from picam_webrtc.doctor.packages import again
from picam_webrtc.errors import ModelNotFetched, PicamWebrtcError
from picam_webrtc.models import AUTO, CATALOGUE, PREFERRED, choose, locate

(LITERT,) = (one for one in DEPENDENCIES if one.use is Use.MODEL)
NEEDED = "needed for detecting anything"


def children(model: str) -> list[list[Step]]:
    """The runtime, and the model if it is here, in one process: the runtime is the dear part."""
    runtime = _runtime()
    return [[runtime, *_loading(model)]] if runtime else []


def _runtime() -> Step | None:
    modules = (LITERT.module, LITERT.instead)
    return next((Step("import_module", f"{module}.interpreter") for module in modules if is_there(module)), None)


def _loading(model: str) -> list[Step]:
    try:
        return [Step("load_model", str(locate(model)))]
    except PicamWebrtcError:
        return []


def model_and_runtime(answers: Answers, model: str) -> Iterator[Finding]:
    yield _runtime_finding(answers)
    yield _model_finding(answers, model)


def _runtime_finding(answers: Answers) -> Finding:
    check, runtime = "TFLite runtime", _runtime()
    if runtime is None:
        return broken(
            check, f"neither {LITERT.distribution} nor {LITERT.instead} is installed, {NEEDED}", remedy([LITERT])
        )
    is_litert = runtime.argument.startswith(LITERT.module)
    version = (found_version(LITERT) or "") if is_litert else ""
    name = f"{LITERT.distribution} {version}".strip() if is_litert else LITERT.instead
    answer = answers[runtime]
    if not fits(LITERT, version):
        return broken(check, f"{Fault(LITERT, version)}; it is {NEEDED}", remedy([LITERT]))
    if answer.untold:
        return unknown(check, f"{name}: {answer.error}", answer.untold)
    if answer.error:
        return broken(check, f"{name} cannot be used, {NEEDED}: {answer.error}", again(LITERT))
    return ok(check, name)


def _model_finding(answers: Answers, model: str) -> Finding:
    fetch = f"run {shlex.quote(sys.executable)} -m picam_webrtc.models fetch"
    try:
        name, path = choose(model), locate(model)
    except ModelNotFetched as error:
        complain = warning if model == AUTO else broken
        named = "" if model == AUTO else f" {model}"
        return complain("model", f"{str(error).partition(';')[0]}: nothing is detected", f"{fetch}{named}")
    except PicamWebrtcError as error:
        return broken("model", str(error), "give the path of a .tflite file, or a name: see `models list`")
    if name in CATALOGUE and hashlib.sha256(path.read_bytes()).hexdigest() != CATALOGUE[name].sha256:
        return broken("model", f"{path} is damaged: its checksum is not that of {name}", f"{fetch} {name}")
    return _loaded(answers, name, path, spare=model == AUTO and name != PREFERRED[0])


def _loaded(answers: Answers, name: str, path: Path, spare: bool) -> Finding:
    instead = f", since {PREFERRED[0]} has not been fetched" if spare else ""
    step = Step("load_model", str(path))
    if step not in answers:
        return warning("model", f"{name} is here; whether it loads is not known", "get a TFLite runtime first")
    answer = answers[step]
    if answer.untold:
        return unknown("model", f"{name}: {answer.error}", answer.untold)
    if answer.error:
        return broken("model", f"{name} does not load: {answer.error}", "take another model: model:=/path/to.tflite")
    return ok("model", f"{name}{instead}; it loads ({path})")
