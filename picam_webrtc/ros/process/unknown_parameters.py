"""Parameters that were given to a node and that it does not have: a slip of the pen, which rclpy ignores."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from rclpy.node import Node

from picam_webrtc.ros.process.overrides import Override, Overrides

TOPICS_OWN = "qos_overrides."
"""Such a parameter is there when its topic is."""


class UnknownParameters:
    """Warns once of each. What a file says to all nodes by a wildcard, or to another node, is no mistake."""

    def __init__(self, overrides: Overrides) -> None:
        self._overrides = overrides
        self._said: set[str] = set()

    def warn(self, nodes: Sequence[Node]) -> None:
        for node, complaint in self._complaints(nodes):
            if complaint not in self._said:
                self._said.add(complaint)
                node.get_logger().warning(complaint)

    def _complaints(self, nodes: Sequence[Node]) -> Iterator[tuple[Node, str]]:
        known = {node: set(node.get_parameters_by_prefix("")) for node in nodes}
        for override in self._overrides.all:
            # A rule on the command line that names no node is for any of this process.
            asks = override.names if override.file else override.concerns
            asked = [node for node in nodes if asks(node.get_fully_qualified_name())]
            if asked and not any(_may_have(override.name, known[node]) for node in asked):
                yield asked[0], _complaint(override, asked, set().union(*(known[node] for node in asked)))


def _may_have(name: str, known: set[str]) -> bool:
    """Whether it is there, or may come yet: a topic's own, or a control of a camera that has not opened."""
    return name in known or name.startswith(TOPICS_OWN) or (_is_control(name) and not any(map(_is_control, known)))


def _is_control(name: str) -> bool:
    """libcamera's names begin with a capital letter, and none of ours does."""
    return name[:1].isupper()


def _complaint(override: Override, nodes: Sequence[Node], known: set[str]) -> str:
    names = ", ".join(dict.fromkeys(node.get_name() for node in nodes))
    nearest = get_close_matches(override.name, sorted(known), n=1)
    hint = f"did you mean '{nearest[0]}'?" if nearest else "`ros2 param list` shows those there are"
    where = override.file or "the command line"
    return f"parameter '{override.name}' in {where} is ignored: {names} has none of that name; {hint}"
