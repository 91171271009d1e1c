"""Quality of service of the image topics."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

PUBLISHER_DEPTH = 8
"""Frames kept for reliable subscribers that fall behind: about 270 ms at 30 frames a second."""

VIDEO_DEPTH = 30
"""Coded pictures kept: they are small, and one that is lost spoils all up to the next key frame."""

OVERRIDABLE = QoSOverridingOptions((QoSPolicyKind.DEPTH, QoSPolicyKind.HISTORY, QoSPolicyKind.RELIABILITY))
OVERRIDABLE_DEPTH = QoSOverridingOptions((QoSPolicyKind.DEPTH, QoSPolicyKind.HISTORY))


def image_publisher_qos() -> QoSProfile:
    """Reliable, as camera drivers publish: best-effort and reliable subscribers can both connect."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=PUBLISHER_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


def image_subscription_qos(reliability: ReliabilityPolicy, depth: int = 1) -> QoSProfile:
    """Only the newest frame matters to our consumers, unless it is a picture of a coded video."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def video_publisher_qos() -> QoSProfile:
    """For coded video."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=VIDEO_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


def detections_qos() -> QoSProfile:
    """Small, and each belongs to a picture: all are wanted, none for long."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=PUBLISHER_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


def latched_qos() -> QoSProfile:
    """The last message is kept for subscribers that come later."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
