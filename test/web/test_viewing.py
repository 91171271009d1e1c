"""A person watches a robot: real pictures, in real browsers, through the real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from picam_webrtc_test.browser import Browser, OpenBrowser, open_chromium, open_firefox, wait_until
from picam_webrtc_test.web.pattern import read_patterns
from picam_webrtc_test.web.robot import find_the_frame_number, pages_with_standalone, running_robot

pytestmark = pytest.mark.browser

LIVE = "document.body.dataset.state === 'live'"

COLLECT_BOXES = """new Promise((resolve) => {
  const frames = [];
  viewer.addEventListener("frame", ({ detail }) => {
    const code = picamPattern.readPresented(viewer.video, detail.metadata);
    if (code === undefined) return;
    const canvas = document.querySelector(".picam-boxes");
    const row = canvas.getContext("2d").getImageData(0, 400 * devicePixelRatio, canvas.width, 1).data;
    const edge = row.findIndex((value, index) => index % 4 === 3 && value > 100);
    frames.push({
      number: code?.number ?? null,
      stampIsThePicturesOwn: code !== null && detail.boxes?.stampUs % 2 ** 40 === code.captureUs,
      edge: edge < 0 ? null : Math.floor(edge / 4) / devicePixelRatio,
      ageMs: detail.boxes?.ageMs ?? null,
    });
    if (frames.length === 300) resolve(frames);
  });
})"""


@pytest.fixture(params=[open_chromium, open_firefox])
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[Browser]:
    open_browser: OpenBrowser = request.param
    async with open_browser() as browser:
        yield browser


@pytest.mark.heavy
async def test_the_boxes_drawn_are_those_of_the_very_picture(browser: Browser, tmp_path: Path) -> None:
    async with running_robot(find=find_the_frame_number, pages=pages_with_standalone(tmp_path)) as robot:
        page = await browser.open(f"{robot.url}standalone.html", width=1280, height=720)
        await read_patterns(page)
        await wait_until(page, "globalThis.viewer?.boxes.shown")
        frames = await page.evaluate(COLLECT_BOXES)
        assert page.errors == []

    readable = [frame for frame in frames if frame["number"] is not None]
    assert len(readable) >= 0.99 * len(frames)
    own = [frame for frame in readable if frame["stampIsThePicturesOwn"]]
    drawn = [frame for frame in readable if abs((frame["edge"] or 0) - (100 + frame["number"] % 64 * 10)) <= 2]
    assert len(own) >= 0.99 * len(readable)
    assert len(drawn) >= 0.99 * len(readable)
