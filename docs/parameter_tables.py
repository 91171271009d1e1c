"""Writes the parameter tables of README.md from the settings classes: `python docs/parameter_tables.py`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

# Run from any folder, installed or not.
from picam_webrtc.declaration import Declaration, Settings  # noqa: E402
from picam_webrtc.settings import CameraSettings, InferenceSettings, LaunchSettings, WebRtcSettings  # noqa: E402

NODES: dict[str, type[Settings]] = {
    "camera_node": CameraSettings,
    "inference_node": InferenceSettings,
    "webrtc_node": WebRtcSettings,
    "picam_webrtc.launch.py": LaunchSettings,
}
README = ROOT / "README.md"


def table(settings: type[Settings]) -> str:
    rows = ["| parameter | default | range | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*rows, *(_row(one, settings is LaunchSettings) for one in settings.declarations())])


def _row(declaration: Declaration, launch: bool) -> str:
    default = declaration.default
    shown = ", ".join(default) if isinstance(default, tuple) else str(default)
    shown = shown.lower() if isinstance(default, bool) else shown
    fixed = "" if declaration.param.read_only or launch else " *(changes while running)*"
    description = declaration.param.description.replace("|", "\\|")
    return f"| `{declaration.name}` | {f'`{shown}`' if shown else ''} | {_range(declaration)} | {description}{fixed} |"


def _range(declaration: Declaration) -> str:
    param = declaration.param
    if param.choices:
        return ", ".join(f"`{choice}`" for choice in param.choices)
    low = "" if param.minimum is None else f"{param.minimum:,g}"
    high = "" if param.maximum is None else f"{param.maximum:,g}"
    return f"{low} … {high}" if low or high else ""


def with_tables(text: str) -> str:
    """`text` with every section between a node's two markers replaced by its table."""
    for node, settings in NODES.items():
        begin, end = f"<!-- parameters of {node} -->", "<!-- end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{table(settings)}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
