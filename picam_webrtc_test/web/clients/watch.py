"""A polite viewer in a process of its own: one line for each picture, until it is told to stop (SIGTERM).

python -m picam_webrtc_test.web.clients.watch URL [TOKEN]
"""

import asyncio
import signal
import sys

from picam_webrtc_test.viewer import Viewer, viewer


async def main(url: str, token: str = "") -> None:
    async with viewer(url, token) as connection:
        await connection.connect_by_whep()
        watching = asyncio.create_task(watch(connection))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, watching.cancel)
        await asyncio.wait((watching,))
    if not watching.cancelled():
        watching.result()


async def watch(connection: Viewer) -> None:
    while True:
        await connection.next_frame()
        print("picture", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
