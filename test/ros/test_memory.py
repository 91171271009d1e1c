"""What images needed stays with the process while more may come, and goes back when none do."""

import subprocess
import sys

BLOCKS, BLOCK_BYTES = 200, 1 << 20
FREE_IMAGES_BETWEEN_OTHERS = f"""
import numpy as np
from bench.process_figures import holdings
from picam_webrtc.ros.memory import give_back, keep_image_buffers

keep_image_buffers()
blocks = [np.ones({BLOCK_BYTES}, np.uint8) for _ in range({BLOCKS})]
full = holdings("self").rss_mb
del blocks[::2]
freed = holdings("self").rss_mb
give_back()
print(full - freed, freed - holdings("self").rss_mb)
"""


def test_freed_images_are_kept_until_they_are_given_back() -> None:
    command = (sys.executable, "-c", FREE_IMAGES_BETWEEN_OTHERS)
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    left_by_itself_mb, given_back_mb = map(float, shown.split())
    assert left_by_itself_mb < 1
    assert given_back_mb > 0.45 * BLOCKS
