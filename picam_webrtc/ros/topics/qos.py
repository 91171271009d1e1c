"""Quality of service of our topics."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

PUBLISHER_DEPTH = 8
"""Messages kept for reliable subscribers that fall behind: about 270 ms at 30 frames a second."""

SUBSCRIPTION_DEPTH = PUBLISHER_DEPTH
"""Frames kept for a subscriber of ours that is held up for a moment; taking one takes a fraction of a frame's time."""

VIDEO_DEPTH = 30
"""Coded pictures kept: they are small, and one that is lost spoils all up to the next key frame."""

OVERRIDABLE = QoSOverridingOptions((QoSPolicyKind.DEPTH, QoSPolicyKind.HISTORY, QoSPolicyKind.RELIABILITY))
OVERRIDABLE_DEPTH = QoSOverridingOptions((QoSPolicyKind.DEPTH, QoSPolicyKind.HISTORY))


def reliable_qos() -> QoSProfile:
    """For images as camera drivers publish them, since best-effort and reliable subscribers can both connect, and for
    what is small and belongs to them.
    """
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=PUBLISHER_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


def image_subscription_qos(reliability: ReliabilityPolicy, depth: int = SUBSCRIPTION_DEPTH) -> QoSProfile:
    """For our consumers, to whom only the newest frame matters unless it is a picture of a coded video."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def video_publisher_qos() -> QoSProfile:
    """For coded video."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=VIDEO_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


def latched_qos() -> QoSProfile:
    """The last message is kept for subscribers that come later."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
