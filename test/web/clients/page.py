"""Chromium on the viewer page, in a process of its own: prints what it saw and by which path, as JSON.

python -m test.web.clients.page URL PICTURES
"""

import asyncio
import json
import sys

from test.browser import ChromiumPage, open_chromium, wait_until

# Every connection of the page is kept where the statistics can be asked for.
KEEP_PEERS = """
  globalThis.peers = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...configuration) { super(...configuration); globalThis.peers.push(this); }
  };
"""
PICTURES = "document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames"
PATH = """(async () => {
  const stats = new Map(await peers.at(-1).getStats());
  const pair = [...stats.values()].find(({ type, nominated }) => type === "candidate-pair" && nominated);
  return stats.get(pair.localCandidateId).candidateType;
})()"""


async def main(url: str, pictures: int) -> None:
    async with open_chromium() as browser:
        tab = await browser.playwright.new_page()
        await tab.add_init_script(KEEP_PEERS)
        await tab.goto(url)
        page = ChromiumPage(tab)
        await wait_until(page, f"{PICTURES} >= {pictures}", 30)
        print(json.dumps({"path": await page.evaluate(PATH)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
