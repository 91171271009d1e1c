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

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def emit(self, record: logging.LogRecord) -> None:
        speaker = _speaker.get()
        logger = self.nodes[self.nodes.index(speaker) if speaker in self.nodes else 0].get_logger()
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
        handler = next((one for one in logger.handlers if isinstance(one, RosLogHandler)), None)
        if handler is None:
            handler = RosLogHandler()
            debug = node.get_logger().get_effective_level() <= LoggingSeverity.DEBUG
            stack.callback(_restore, logger, logger.level, logger.propagate, handler)
            logger.setLevel(logging.DEBUG if debug else logging.INFO)
            logger.propagate = False
            logger.addHandler(handler)
        handler.nodes.append(node)


def _restore(logger: logging.Logger, level: int, propagate: bool, handler: logging.Handler) -> None:
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate
