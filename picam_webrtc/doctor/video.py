"""The encoders that PyAV brings, each opened once."""

from collections.abc import Iterator
from pathlib import Path

from picam_webrtc.dependencies import DEPENDENCIES, is_there
from picam_webrtc.doctor.children import Answer, Answers, Step
from picam_webrtc.doctor.finding import Finding, broken, ok, unknown, warning
from picam_webrtc.doctor.packages import again

(PYAV,) = (one for one in DEPENDENCIES if one.module == "av")
SOFTWARE = {"libx264": "H.264", "libvpx": "VP8"}
HARDWARE = "h264_v4l2m2m"


def children(devices: Path = Path("/dev")) -> list[list[Step]]:
    return [[_step(devices)]] if is_there("av") else []


def _step(devices: Path) -> Step:
    """The hardware's encoder is a device: only where there is one is it worth a try."""
    return Step("encoders", "video" if any(devices.glob("video*")) else "")


def encoders(answers: Answers, devices: Path = Path("/dev")) -> Iterator[Finding]:
    """Nothing where there is no PyAV, of which `packages` tells."""
    answer = answers.get(_step(devices))
    if answer is not None:
        yield _encoders(answer)


def _encoders(answer: Answer) -> Finding:
    if answer.untold:
        return unknown("encoders", answer.error, answer.untold)
    if answer.error:
        return warning("encoders", f"cannot be tried: {answer.error}", "mend what is above first")
    closed = [f"{codec} ({answer.value[name]})" for name, codec in SOFTWARE.items() if answer.value[name]]
    if closed:
        return broken("encoders", f"cannot encode {', '.join(closed)}", again(PYAV))
    software = " and ".join(f"{codec} by {name}" for name, codec in SOFTWARE.items())
    return ok("encoders", f"{software}; {_hardware(answer.value.get(HARDWARE))}")


def _hardware(why_not: str | None) -> str:
    if why_not is None:
        return f"no hardware encoder ({HARDWARE}) on this machine"
    return f"the hardware's {HARDWARE} does not open and is not used" if why_not else f"H.264 in hardware by {HARDWARE}"
