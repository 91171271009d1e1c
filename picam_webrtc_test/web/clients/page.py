"""Chromium on the viewer page, in a process of its own: prints by which path it saw what, as JSON.

python -m picam_webrtc_test.web.clients.page URL PICTURES
"""

import asyncio
import json
import sys

from picam_webrtc_test.browser import ChromiumPage, open_chromium, wait_until

# Every connection of the page is kept where the statistics can be asked for.
KEEP_PEERS = """
  globalThis.peers = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...configuration) { super(...configuration); globalThis.peers.push(this); }
  };
"""
PICTURES = "document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames"
SEEN = """(async () => {
  const stats = new Map(await peers.at(-1).getStats());
  const find = (wanted) => [...stats.values()].find(wanted);
  const pair = find(({ type, nominated }) => type === "candidate-pair" && nominated);
  const { framesDecoded, frameHeight, freezeCount, timestamp } = find(({ type }) => type === "inbound-rtp");
  const { candidateType } = stats.get(pair.localCandidateId);
  return { path: candidateType, frames: framesDecoded, height: frameHeight, freezes: freezeCount, timeMs: timestamp };
})()"""
TIMEOUT_S = 30.0


async def main(url: str, pictures: int) -> None:
    """One line after a third of so many pictures, another after all."""
    async with open_chromium() as browser:
        tab = await browser.playwright.new_page()
        await tab.add_init_script(KEEP_PEERS)
        await tab.goto(url)
        page = ChromiumPage(tab)
        for count in (pictures // 3, pictures):
            await wait_until(page, f"{PICTURES} >= {count}", TIMEOUT_S)
            print(json.dumps(await page.evaluate(SEEN)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
