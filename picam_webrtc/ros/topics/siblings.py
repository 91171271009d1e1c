"""Topics that belong to an image go where a remap sends the image, as image_transport has it.

image_transport resolves the image's name first and makes the others of what comes out: a transport's by
appending to it, camera_info by replacing its last part (getCameraInfoTopic() in image_transport's
camera_common.cpp). A sibling with a remap of its own goes where that sends it.
"""

from rclpy.node import Node

IMAGE_TOPIC = "image_raw"
FORMS = frozenset({"compressed", "h264", "ffmpeg"})
"""Last parts of topics that have an image in another form; what stands before them is the image's name."""
COMPANIONS = frozenset({"camera_info", "image_rect"})
"""Topics that belong to the `image_raw` in the same namespace."""


def topic_name(node: Node, name: str) -> str:
    """The name by which `node` has to make or find the topic `name`: another one where it has to follow its image."""
    image = _image_of(name)
    return name if image is None else followed(node, name, image)


def followed(node: Node, name: str, image: str) -> str:
    """The same for a topic `name` of which it is known that it belongs to `image`: beside it or below it."""
    if _is_remapped(node, name):
        return name
    there = node.resolve_topic_name(topic_name(node, image))
    if there == node.resolve_topic_name(image, only_expand=True):
        return name
    form = name.removeprefix(f"{image}/")
    return beside(there, name.rpartition("/")[2]) if form == name else f"{there}/{form}"


def beside(image: str, name: str) -> str:
    """`name` in the namespace of the topic `image`: `/cam/image` has `/cam/camera_info`."""
    namespace, separator, _ = image.rpartition("/")
    return f"{namespace}{separator}{name}"


def _image_of(name: str) -> str | None:
    """The image that the topic `name` is a sibling of; None where it is none."""
    namespace, _, last = name.rpartition("/")
    if last in COMPANIONS:
        return beside(name, IMAGE_TOPIC)
    return namespace if last in FORMS and namespace else None


def _is_remapped(node: Node, name: str) -> bool:
    """Whether a rule is for just that name."""
    return bool(node.resolve_topic_name(name) != node.resolve_topic_name(name, only_expand=True))
