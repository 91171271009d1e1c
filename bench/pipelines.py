"""What a frame costs on its whole way, from the camera to one viewer, in one process and in three."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus

import aiohttp

from bench.light_viewer import CaptureClock, LightViewer
from bench.process_figures import cpu_s
from bench.rest import SHAPES
from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.pipeline import node_process

PARAMETERS: dict[str, ParameterValue] = {"source": "test_pattern", "transform": "none", "port": 0}
JOIN_PATIENCE_S = 30.0
SETTLING_S = 3.0
RETRY_S = 0.2
"""While the nodes have not found each other yet."""


def cpu_ms_per_frame(seconds: float) -> dict[str, float]:
    """Of all processes together, for each shape."""
    return {
        f"{shape}_cpu_ms_per_frame": round(asyncio.run(_cost(modules, seconds)), 3) for shape, modules in SHAPES.items()
    }


async def _cost(modules: Sequence[str], seconds: float) -> float:
    async with AsyncExitStack() as stack:
        started = [stack.enter_context(node_process(module, PARAMETERS)) for module in modules]
        url = started[-1].wait_for_line(r"The page is at (http://\S+)")[1]
        viewer = LightViewer(CaptureClock().age_s)
        stack.push_async_callback(viewer.close)
        async with asyncio.timeout(JOIN_PATIENCE_S):
            await _join(viewer, url)
        await asyncio.sleep(SETTLING_S)
        frames, used_s = viewer.received.frames, sum(cpu_s(process.pid) for process in started)
        await asyncio.sleep(seconds)
        used_s = sum(cpu_s(process.pid) for process in started) - used_s
        return 1000 * used_s / (viewer.received.frames - frames)


async def _join(viewer: LightViewer, url: str) -> None:
    offer, headers = await viewer.offer(), {"Content-Type": "application/sdp"}
    async with aiohttp.ClientSession(url) as http:
        while True:
            async with http.post("/whep", data=offer, headers=headers) as response:
                if response.status == HTTPStatus.CREATED:
                    await viewer.accept(await response.text())
                    await viewer.first_frame.wait()
                    return
            await asyncio.sleep(RETRY_S)
