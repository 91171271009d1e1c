"""How well a box fits another one."""

from picam_webrtc.detection import BoundingBox


def iou(one: BoundingBox, other: BoundingBox) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    if width <= 0 or height <= 0:
        return 0.0
    union = one.area + other.area - width * height
    # Areas of boxes that are next to nothing may be nothing in floating point.
    return width * height / union if union > 0 else 0.0
