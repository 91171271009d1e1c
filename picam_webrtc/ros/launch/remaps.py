"""Remaps that are given to every node of a launch (SetRemap), spelled out for nodes in another namespace."""

from collections.abc import Collection, Iterable, Iterator

Rule = tuple[str, str]
"""From, to: as launch_ros takes them."""
TOPIC_SCHEME, SERVICE_SCHEME = "rostopic://", "rosservice://"


def as_seen_from_outside(rules: Iterable[Rule], namespace: str, nodes: Collection[str]) -> Iterator[Rule]:
    """What the relative names in `rules` mean to `nodes` in `namespace` (its full name), said in full names.

    A node in another namespace needs that to find their topics. Rules for services and for other nodes are left
    out, and so are private names where it cannot be told of which node they are.
    """
    for source, target in rules:
        of_node, _, topic = source.replace(TOPIC_SCHEME, "").rpartition(":")
        if SERVICE_SCHEME in source or topic.startswith(("/", "~", "__")) or (of_node and of_node not in nodes):
            continue
        if target.startswith("~/") and of_node:
            yield f"{namespace}/{topic}", f"{namespace}/{of_node}/{target.removeprefix('~/')}"
        elif not target.startswith("~"):
            yield f"{namespace}/{topic}", target if target.startswith("/") else f"{namespace}/{target}"
