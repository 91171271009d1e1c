"""How many viewers a machine, an uplink and a media server serve: `python docs/scale_model.py` rewrites docs/scale.md.

Everything follows from `MEASURED` (one core of the machine below, 720p30, 2 Mbit/s) and from how fast other machines'
cores are compared with it. To put your own measurements in place of them:

    python -m bench.viewers --json > viewers.json && python -m bench.publish --json --restarts 0 > publish.json
    python docs/scale_model.py --viewers viewers.json --publish publish.json      # prints, and writes nothing
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

PAGE = Path(__file__).with_name("scale.md")
HEADROOM = 0.7
"""Of a machine's CPU: beyond it frames come late."""
PACKET_OVERHEAD = 1.06
"""Of RTP, SRTP, UDP and IP headers, at 1200 bytes a packet, and of key frames for those who join."""
LOOP_CORES = 1.0
"""All viewers of a node are served by one thread; each stream's encoder has one of its own."""


@dataclass(frozen=True)
class Costs:
    """Percent of one core, but for `bitrate` [Mbit/s]."""

    machine: str
    stream: float
    viewer: float
    reader: float
    bitrate: float


MEASURED = Costs("2.7 GHz x86-64 server core (2023)", stream=24.5, viewer=0.25, reader=0.59, bitrate=2.0)
"""`stream` is conversion, encoding and one viewer (bench.publish); `viewer` the slope over viewers (bench.viewers);
`reader` the CPU of go2rtc, reception included, over its readers (bench.publish)."""


@dataclass(frozen=True)
class Machine:
    """`speed` of a core relative to the measured one; `encodes` where H.264 is encoded in hardware; `camera` is what
    camera and inference nodes take, in percent of one of *its* cores; `uplink` in Mbit/s.
    """

    name: str
    cores: int
    speed: float
    uplink: float
    camera: float
    encodes: bool = False


HARDWARE_ENCODING = 0.25
"""Of the cost of a stream remains where hardware encodes: conversion and copying."""

MACHINES = (
    Machine("Raspberry Pi 4, Wi-Fi", 4, 0.22, 50, 120, encodes=True),
    Machine("Raspberry Pi 5, Wi-Fi", 4, 0.45, 100, 90),
    Machine("Raspberry Pi 5, Ethernet", 4, 0.45, 940, 90),
    Machine("x86 box, 8 cores, Ethernet", 8, 1.0, 940, 40),
)
SERVER = Machine("media server, 8 cores, 10 Gbit/s", 8, 1.0, 9400, 0)


@dataclass(frozen=True)
class Verdict:
    viewers: int
    bottleneck: str


def served(machine: Machine, costs: Costs, streams: int = 1) -> Verdict:
    """Viewers of one node on the machine, and what ends first."""
    stream = costs.stream * (HARDWARE_ENCODING if machine.encodes else 1.0) / machine.speed
    viewer = costs.viewer / machine.speed
    all_cores = 100 * HEADROOM * machine.cores - machine.camera - streams * stream
    limits = {
        "CPU": all_cores / viewer,
        "the sending thread's core": 100 * HEADROOM * LOOP_CORES / viewer,
        "uplink": machine.uplink * HEADROOM / (costs.bitrate * PACKET_OVERHEAD),
    }
    if all_cores < 0 or stream > 100 * HEADROOM:
        return Verdict(0, "CPU, before the first viewer")
    bottleneck = min(limits, key=limits.__getitem__)
    return Verdict(int(limits[bottleneck]), bottleneck)


def served_by_a_media_server(machine: Machine, costs: Costs) -> Verdict:
    """Readers of all streams together; it encodes nothing, and uses all cores."""
    limits = {
        "CPU": 100 * HEADROOM * machine.cores / (costs.reader / machine.speed),
        "uplink": machine.uplink * HEADROOM / (costs.bitrate * PACKET_OVERHEAD),
    }
    bottleneck = min(limits, key=limits.__getitem__)
    return Verdict(int(limits[bottleneck]), bottleneck)


def push_from(machine: Machine, costs: Costs) -> str:
    """From how many viewers on a push takes less CPU in all, robot's and media server's together.

    Serving costs the robot N viewers; pushing costs it one, and the media server N readers and its own reception.
    The uplink needs no model: a push is one viewer's worth of it, so it is cheaper from the second viewer on.
    """
    viewer = costs.viewer / machine.speed
    gained = viewer - costs.reader / SERVER.speed
    if gained <= 0:
        return "never"
    return f"{ceil((viewer + costs.reader / SERVER.speed) / gained)} viewers"


def machine_rows(costs: Costs) -> Iterable[str]:
    yield "| machine | viewers of one stream | first bottleneck | viewers of two streams | push takes less CPU from |"
    yield "| --- | --- | --- | --- | --- |"
    for machine in MACHINES:
        one, two = served(machine, costs), served(machine, costs, streams=2)
        cells = (machine.name, one.viewers, one.bottleneck, f"{two.viewers} ({two.bottleneck})")
        yield "| " + " | ".join(map(str, (*cells, push_from(machine, costs)))) + " |"
    server = served_by_a_media_server(SERVER, costs)
    yield f"| {SERVER.name} | {server.viewers:,} readers | {server.bottleneck} | the same, of any number of streams | |"


def cost_rows(costs: Costs) -> Iterable[str]:
    yield "| measured | of one core |"
    yield "| --- | --- |"
    yield f"| a stream: conversion, encoding, its first viewer | {costs.stream:g} % |"
    yield f"| one more viewer | {costs.viewer:g} % |"
    yield "| a published stream | as one viewer |"
    yield f"| one more reader at go2rtc (its CPU, not the robot's) | {costs.reader:g} % |"


def page_with_tables(text: str, costs: Costs = MEASURED) -> str:
    for name, rows in (("costs", cost_rows(costs)), ("machines", machine_rows(costs))):
        begin, end = f"<!-- {name} -->", "<!-- end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n" + "\n".join(rows) + f"\n{end}{after}"
    return text


def costs_of(viewers: Path, publish: Path) -> Costs:
    """From the last lines of the two benchmarks."""
    many, published = (json.loads(path.read_text().splitlines()[-1]) for path in (viewers, publish))
    readers = published["streams"] * published["readers"]
    return replace(
        MEASURED,
        machine="yours",
        stream=round(published["viewers"]["cpu_ms_per_frame"] * 3, 2),
        viewer=many["marginal_cpu_ours"],
        reader=round(published["published"]["media_server_cpu_percent"] / readers, 3),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=Path, help="output of bench.viewers --json")
    parser.add_argument("--publish", type=Path, help="output of bench.publish --json")
    arguments = parser.parse_args()
    if arguments.viewers and arguments.publish:
        costs = costs_of(arguments.viewers, arguments.publish)
        print(*cost_rows(costs), "", *machine_rows(costs), sep="\n")
    else:
        PAGE.write_text(page_with_tables(PAGE.read_text()))


if __name__ == "__main__":
    main()
