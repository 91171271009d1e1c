"""The other side of a bench, as a process of its own: it answers a JSON object a line."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Self

LONGEST_LINE = 1 << 20
"""Bytes of a request or an answer; an SDP is the longest."""


class Child:
    """A module that runs `answer_requests`, as a child."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    @classmethod
    async def start(cls, module: str, *arguments: str) -> Self:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        return cls(process)

    async def ask(self, **request: object) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the child has no pipes")
        async with self._turn:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the child has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


async def answer_requests(obey: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """The child's part, until the parent closes the pipe."""
    requests = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    while line := await requests.readline():
        print(json.dumps(await obey(json.loads(line))), flush=True)
