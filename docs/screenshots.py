"""The pictures in the README, made from the running pipeline: `python -m docs.screenshots`, or `make screenshots`.

A photograph that scikit-image brings is shown as a video file, so the detections are a real model's.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import skimage
from domain_coordinator import domain_id

from picam_webrtc.declaration import ParameterValue
from picam_webrtc_test.browser import Chromium, open_chromium, wait_until
from picam_webrtc_test.film import film_of
from picam_webrtc_test.pipeline import node_process

PICTURES = Path(__file__).parent / "pictures"
SETTLED_S = 12.0
"""Until the plots have lines and the latency is that of a calm pipeline."""


@dataclass(frozen=True, slots=True)
class Shot:
    name: str
    query: str = ""
    key: str = ""
    dark: bool = False
    width: int = 1280
    height: int = 720


SHOTS = (
    Shot("light"),
    Shot("dark", dark=True),
    Shot("grid", query="?view=grid"),
    Shot("statistics", key="i", dark=True),
    Shot("controls", key="c"),
    Shot("phone", width=390, height=844, dark=True),
)


async def take(chromium: Chromium, url: str, shot: Shot) -> None:
    page = await chromium.open(url + shot.query, width=shot.width, height=shot.height, dark=shot.dark)
    await wait_until(page, "document.body.dataset.state === 'live'")
    if shot.key:
        await page.press(shot.key)
    await asyncio.sleep(SETTLED_S)
    # Whoever moves the mouse sees the bar and the tools.
    await page.playwright.mouse.move(shot.width / 2, shot.height / 2)
    await asyncio.sleep(0.5)
    await page.screenshot(PICTURES / f"{shot.name}.png")
    await page.close()


async def take_all(url: str) -> None:
    async with open_chromium() as browser:
        for shot in SHOTS:
            await take(browser, url, shot)
            print(f"{shot.name}.png", flush=True)


def main() -> int:
    PICTURES.mkdir(exist_ok=True)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with domain_id() as number, TemporaryDirectory() as directory:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        film = film_of(Path(skimage.__file__).parent / "data" / "chelsea.png", Path(directory) / "cat.mp4")
        parameters: dict[str, ParameterValue] = {
            "source": "video_file",
            "video_file": str(film),
            "overlay": False,  # drawn by the page
            "port": 0,
        }
        with node_process("picam_webrtc", parameters) as process:
            asyncio.run(take_all(process.wait_for_line(r"The page is at (http://\S+)")[1]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
