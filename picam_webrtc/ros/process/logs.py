"""What the engines log, through the logger of the node that they work for."""

import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar

from rclpy.logging import LoggingSeverity
from rclpy.node import Node

_speaker: ContextVar[Node | None] = ContextVar("speaker", default=None)
"""The node that the running code works for; engines hand their context on to their threads."""


@contextmanager
def speaking_for(node: Node) -> Iterator[None]:
    """Have the engines' log lines appear as `node`'s."""
    token = _speaker.set(node)
    try:
        yield
    finally:
        _speaker.reset(token)


class RosLogHandler(logging.Handler):
    """Hands records of one engine to the node that it works for, or to the first node where that is not known.

    One line a severity: rclpy refuses a second severity from the same line of code.
    """

    def __init__(self, engine: logging.Logger) -> None:
        super().__init__()
        self._nodes: tuple[Node, ...] = ()  # replaced as a whole: engines log from threads of their own
        self._engine = engine
        self._before = engine.level, engine.propagate

    def join(self, node: Node) -> None:
        if not self._nodes:
            debug = node.get_logger().get_effective_level() <= LoggingSeverity.DEBUG
            self._engine.setLevel(logging.DEBUG if debug else logging.INFO)
            self._engine.propagate = False
            self._engine.addHandler(self)
        self._nodes += (node,)

    def leave(self, node: Node) -> None:
        if len(self._nodes) > 1:
            self._nodes = tuple(other for other in self._nodes if other is not node)
        else:
            self._engine.removeHandler(self)
            level, self._engine.propagate = self._before
            self._engine.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        nodes, speaker = self._nodes, _speaker.get()
        logger = nodes[nodes.index(speaker) if speaker in nodes else 0].get_logger()
        text = self.format(record)
        if record.levelno >= logging.CRITICAL:
            logger.fatal(text)
        elif record.levelno >= logging.ERROR:
            logger.error(text)
        elif record.levelno >= logging.WARNING:
            logger.warning(text)
        elif record.levelno >= logging.INFO:
            logger.info(text)
        else:
            logger.debug(text)


def forward_logs(stack: AsyncExitStack, node: Node, *engines: str) -> None:
    """Log what the named engines log, as long as the stack is open; what is set up from here on speaks for `node`."""
    _speaker.set(node)
    for engine in engines:
        logger = logging.getLogger(f"picam_webrtc.{engine}")
        found = next((one for one in logger.handlers if isinstance(one, RosLogHandler)), None)
        handler = found or RosLogHandler(logger)
        handler.join(node)
        stack.callback(handler.leave, node)
