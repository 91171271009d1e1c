"""The main job: camera, inference and WebRTC nodes as processes of their own, and a person's browser."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import cv2
import pytest
import skimage

from picam_webrtc.declaration import ParameterValue
from picam_webrtc.models import fetch
from picam_webrtc_test.browser import Browser, OpenBrowser, Page, open_chromium, open_firefox, wait_until
from picam_webrtc_test.film import film_of
from picam_webrtc_test.pipeline import NodeProcess, node_process
from picam_webrtc_test.web.pattern import read_patterns

pytestmark = [pytest.mark.browser, pytest.mark.ros]

LIVE = "document.body.dataset.state === 'live'"
VIDEO = "document.querySelector('video')"
TEST_PATTERN: Mapping[str, ParameterValue] = {
    "source": "test_pattern",
    "transform": "none",
    "port": 0,
    "idle_timeout": 0.5,
}


@dataclass
class Pipeline:
    url: str
    camera: NodeProcess
    inference: NodeProcess
    webrtc: NodeProcess


@contextmanager
def running_pipeline(parameters: Mapping[str, ParameterValue]) -> Iterator[Pipeline]:
    """Three processes, as `ros2 launch` starts them."""
    with ExitStack() as stack:
        camera, inference, webrtc = (
            stack.enter_context(node_process(name, parameters))
            for name in ("camera_node", "inference_node", "webrtc_node")
        )
        url = webrtc.wait_for_line(r"The page is at (http://\S+)")[1]
        yield Pipeline(url, camera, inference, webrtc)


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with running_pipeline(TEST_PATTERN) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_chromium() as browser:
        yield browser


@pytest.fixture(params=[open_chromium, open_firefox])
async def each_browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    open_browser: OpenBrowser = request.param
    async with open_browser() as browser:
        yield browser


@asynccontextmanager
async def watching(browser: Browser, url: str) -> AsyncIterator[Page]:
    """A tab at 1280x720 that plays, with the reader of the test pattern in it."""
    page = await browser.open(url, width=1280, height=720)
    await read_patterns(page)
    await wait_until(page, LIVE)
    yield page
    # Chromium reports every HTTP error status; nodes that have not found each other yet are a 409.
    assert [error for error in page.errors if not error.startswith("Failed to load resource")] == []


async def collect(page: Page, seconds: float) -> list[dict[str, float]]:
    frames: list[dict[str, float]] = await page.evaluate(f"picamPattern.collect({VIDEO}, {seconds})")
    return frames


async def decoded(page: Page) -> tuple[float, float]:
    """Frames decoded so far, and when that was [s]."""
    count, at = await page.evaluate(f"[{VIDEO}.getVideoPlaybackQuality().totalVideoFrames, performance.now() / 1000]")
    return count, at


def numbers_of(frames: list[dict[str, float]]) -> list[float]:
    return [frame["number"] for frame in frames if frame["number"] is not None]


@pytest.mark.heavy
async def test_the_page_decodes_at_least_28_frames_a_second_of_rising_numbers(
    pipeline: Pipeline, browser: Browser
) -> None:
    async with watching(browser, pipeline.url) as page:
        assert await page.evaluate(f"[{VIDEO}.videoWidth, {VIDEO}.videoHeight]") == [1280, 720]
        before, since = await decoded(page)
        frames = await collect(page, 10)
        after, until = await decoded(page)

    rate = (after - before) / (until - since)
    numbers = numbers_of(frames)
    assert rate >= 28, f"{rate:.1f} frames/s decoded"
    assert len(numbers) >= 0.99 * len(frames), "numbers that cannot be read"
    assert all(late > early for early, late in itertools.pairwise(numbers))


@pytest.mark.heavy
async def test_two_tabs_see_the_same_frames_and_closing_one_does_not_disturb_the_other(
    pipeline: Pipeline, browser: Browser
) -> None:
    async with watching(browser, pipeline.url) as one, watching(browser, pipeline.url) as other:
        seen = await asyncio.gather(collect(one, 4), collect(other, 4))
        first, second = ({frame["number"]: frame["captureUs"] for frame in frames} for frames in seen)
        shared = first.keys() & second.keys() - {None}
        # Each tab presents what its screen has time for, so neither need show every frame.
        assert len(shared) >= 0.3 * min(len(first), len(second))
        assert all(first[number] == second[number] for number in shared), "equal numbers, other pictures"

        numbers_over_the_close = asyncio.create_task(collect(other, 4))
        await one.close()
        numbers = numbers_of(await numbers_over_the_close)
        assert all(0 < late - early <= 15 for early, late in itertools.pairwise(numbers)), "half a second at most"

        pipeline.webrtc.wait_for_line(r"Removing from pcs")
        assert not any("Camera stopped" in line for line in pipeline.camera.lines)
        await other.close()
    await asyncio.to_thread(pipeline.camera.wait_for_line, r"Camera closed successfully\.")


async def test_the_sleeping_camera_wakes_for_the_next_viewer(pipeline: Pipeline, browser: Browser) -> None:
    async with watching(browser, pipeline.url) as page:
        await page.close()
    await asyncio.to_thread(pipeline.camera.wait_for_line, r"Camera closed successfully\.")
    async with watching(browser, pipeline.url) as page:
        assert numbers_of(await collect(page, 1))


async def test_a_cat_in_a_video_file_is_seen_with_its_box(browser: Browser, tmp_path: Path) -> None:
    fetch("ssd_mobilenet_v2")
    film = film_of(Path(skimage.__file__).parent / "data" / "chelsea.png", tmp_path / "cat.mp4")
    parameters: dict[str, ParameterValue] = {
        "source": "video_file",
        "video_file": str(film),
        "transform": "tflite",
        "port": 0,
    }
    with running_pipeline(parameters) as pipeline:
        async with watching(browser, pipeline.url) as page:
            labels = "[...document.querySelectorAll('#legend label')].map((label) => label.textContent)"
            await wait_until(page, f"{labels}.some((label) => label.startsWith('Cat'))", timeout_s=40)
            await page.screenshot(tmp_path / "cat.png")

    screenshot = cv2.imread(str(tmp_path / "cat.png"))
    assert screenshot is not None
    assert screenshot.shape == (720, 1280, 3)


async def test_a_slider_changes_a_ros_parameter_and_a_refusal_is_shown(each_browser: Browser) -> None:
    with running_pipeline({**TEST_PATTERN, "transform": "tflite", "enabled": False}) as pipeline:
        async with watching(each_browser, pipeline.url) as page:
            threshold = "document.querySelector('[data-parameter=\"inference_node.threshold\"]')"
            await page.press("c")
            await wait_until(page, f"{threshold} !== null")
            assert await page.evaluate(f"[{threshold}.type, {threshold}.min, {threshold}.max]") == ["range", "0", "1"]
            await set_input(page, threshold, "0.75")
            async with aiohttp.ClientSession() as operator:
                await asyncio.wait_for(parameter_becomes(operator, pipeline.url, "threshold", 0.75), 10)

            model = "document.querySelector('[data-parameter=\"inference_node.model\"]')"
            await set_input(page, model, "/no/such.tflite")
            await wait_until(page, "document.querySelector('#refusal').textContent.includes('/no/such.tflite')")
            assert await page.evaluate(f"{model}.value") == "auto"


async def set_input(page: Page, element: str, value: str) -> None:
    """As a person does: the page hears of it."""
    await page.evaluate(
        f"(({{element}}) => {{ element.value = {value!r}; for (const kind of ['input', 'change'])"
        f" element.dispatchEvent(new Event(kind, {{bubbles: true}})); }})({{element: {element}}})"
    )


async def parameter_becomes(operator: aiohttp.ClientSession, url: str, name: str, value: float) -> None:
    while True:
        async with operator.get(f"{url}parameters") as response:
            nodes = (await response.json())["nodes"]
        if any(one["name"] == name and one["value"] == value for node in nodes for one in node["parameters"]):
            return
        await asyncio.sleep(0.1)


async def test_two_cameras_are_four_streams_on_one_page(each_browser: Browser) -> None:
    topics = {"processed": "image_processed", "raw": "image_raw"}
    streams = [f"{camera}_{name}:=/{camera}/{topic}" for camera in ("front", "rear") for name, topic in topics.items()]
    parameters = {**TEST_PATTERN, "streams": tuple(streams), "width": 640, "height": 360}
    with node_process("picam_webrtc", parameters, arguments=["--cameras", "/front", "/rear"]) as robot:
        url = (await asyncio.to_thread(robot.wait_for_line, r"The page is at (http://\S+)"))[1]
        page = await each_browser.open(f"{url}?view=grid", width=1280, height=720)
        await wait_until(page, "document.querySelectorAll('.tile[data-state=live]').length === 4")
        shown = await page.evaluate("[...document.querySelectorAll('.tile .name')].map((name) => name.textContent)")
        assert shown == ["front_processed", "front_raw", "rear_processed", "rear_raw"]


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["camera_node", "inference_node", "webrtc_node"])
async def test_a_killed_node_is_back_and_the_page_plays_again_within_5_s(each_browser: Browser, name: str) -> None:
    with running_pipeline(TEST_PATTERN) as pipeline, ExitStack() as stack:
        async with watching(each_browser, pipeline.url) as page:
            killed: NodeProcess = getattr(pipeline, name.removesuffix("_node"))
            await asyncio.to_thread(killed.stop, signal.SIGKILL)
            await wait_until(page, f"!({LIVE})")
            port = int(pipeline.url.rsplit(":", 1)[1].strip("/"))
            parameters = {**TEST_PATTERN, "port": port}
            again = stack.enter_context(node_process(name, parameters))
            await asyncio.to_thread(again.wait_for_line, r"Ready|The page is at")
            await wait_until(page, LIVE, timeout_s=5)
