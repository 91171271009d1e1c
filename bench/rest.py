"""CPU of the pipeline while nobody watches: `python -m bench.rest --json`.

`cpu_percent` is of one core, for all processes together, in the shape that costs more; the goal is 1 %.
"""

import json
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack

from bench.process_figures import cpu_s
from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import node_process, own_ros_domain

SHAPES: dict[str, tuple[str, ...]] = {
    "composed": ("picam_webrtc",),
    "three_processes": ("camera_node", "inference_node", "webrtc_node"),
}
READY = r"Ready|The page is at"
PARAMETERS: dict[str, ParameterValue] = {"source": "test_pattern", "port": 0}


def at_rest(modules: Sequence[str], settle_s: float, seconds: float) -> float:
    """Percent of a core that the processes use together once they have settled."""
    with ExitStack() as stack:
        started = [stack.enter_context(node_process(module, PARAMETERS)) for module in modules]
        for process in started:
            process.wait_for_line(READY)
        time.sleep(settle_s)
        begin_s, used_s = time.monotonic(), sum(cpu_s(process.pid) for process in started)
        time.sleep(seconds)
        used_s = sum(cpu_s(process.pid) for process in started) - used_s
        return 100 * used_s / (time.monotonic() - begin_s)


def main() -> None:
    parser = ArgumentParser("bench.rest", description=__doc__)
    parser.add_argument("--json", action="store_true", help="nothing but the result")
    parser.add_argument("--settle", type=float, default=8.0, metavar="S", help="from the start to the measurement")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="length of the measurement")
    options = parser.parse_args()
    result: dict[str, float] = {}
    with own_ros_domain():
        for shape, modules in SHAPES.items():
            result[f"{shape}_cpu_percent"] = round(at_rest(modules, options.settle, options.seconds), 3)
            if not options.json:
                print(f"{shape}: {result[f'{shape}_cpu_percent']} % of a core")
    print(json.dumps({"cpu_percent": max(result.values()), **result}))


if __name__ == "__main__":
    main()
