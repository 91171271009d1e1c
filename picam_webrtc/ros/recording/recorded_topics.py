"""Which topics a recording has that names none."""

from collections.abc import Iterable

RECORDED_TOPICS = ("camera_info", "detections", "detections_json", "image_processed/h264", "image_raw/h264")
RECORDED_GLOBAL_TOPICS = ("/diagnostics", "/rosout", "/parameter_events", "/tf_static")


def recorded_topics(namespaces: Iterable[str]) -> tuple[str, ...]:
    """The topics worth keeping: small ones, and pictures as coded video only."""
    local = (f"/{name.strip('/')}/{topic}".replace("//", "/") for name in namespaces for topic in RECORDED_TOPICS)
    return (*local, *RECORDED_GLOBAL_TOPICS)
