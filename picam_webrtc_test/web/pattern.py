"""The reader of the test pattern (pattern.js), for pages that tests look at."""

from pathlib import Path

from picam_webrtc_test.browser import Page

READER = (Path(__file__).parent / "pattern.js").read_text()


async def read_patterns(page: Page) -> None:
    """From now on the page has `picamPattern`."""
    await page.evaluate(f"(() => {{ {READER} }})()")
