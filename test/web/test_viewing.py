"""A person watches a robot: real pictures, in real browsers, through the real server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from test.browser import Browser, OpenBrowser, Page, open_chromium, open_firefox, wait_until
from test.web.pattern import read_patterns
from test.web.robot import find_the_frame_number, pages_with_standalone, running_robot
from test.windows import good_window

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
    // A late callback finds the picture of the next one on the screen.
    if (code && frames.at(-1)?.number === code.number) frames.pop();
    frames.push({
      number: code?.number ?? null,
      stampIsThePicturesOwn: code !== null && detail.boxes?.stampUs % 2 ** 40 === code.captureUs,
      edge: edge < 0 ? null : Math.floor(edge / 4) / devicePixelRatio,
      ageMs: detail.boxes?.ageMs ?? null,
    });
    if (frames.length === 300) resolve(frames);
  });
})"""


@dataclass(frozen=True)
class Seen:
    """Of so many pictures those with a number, and of these those with their own stamp, and with their own box."""

    pictures: int
    readable: int
    with_own_stamp: int
    with_own_box: int

    def is_good(self) -> bool:
        own = min(self.with_own_stamp, self.with_own_box)
        return self.readable >= 0.99 * self.pictures and own >= 0.99 * self.readable


async def boxes_seen(page: Page) -> Seen:
    frames = await page.evaluate(COLLECT_BOXES)
    readable = [frame for frame in frames if frame["number"] is not None]
    own_stamp = [frame for frame in readable if frame["stampIsThePicturesOwn"]]
    own_box = [frame for frame in readable if abs((frame["edge"] or 0) - (100 + frame["number"] % 64 * 10)) <= 2]
    return Seen(len(frames), len(readable), len(own_stamp), len(own_box))


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
        seen = await good_window(lambda: boxes_seen(page), Seen.is_good)
        assert page.errors == []
    assert seen.is_good(), seen
