"""Quality of service of the image topics."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

PUBLISHER_DEPTH = 8
"""Frames kept for reliable subscribers that fall behind: about 270 ms at 30 frames a second."""

OVERRIDABLE = QoSOverridingOptions((QoSPolicyKind.DEPTH, QoSPolicyKind.HISTORY, QoSPolicyKind.RELIABILITY))
OVERRIDABLE_DEPTH = QoSOverridingOptions((QoSPolicyKind.DEPTH, QoSPolicyKind.HISTORY))


def image_publisher_qos() -> QoSProfile:
    """Reliable, as camera drivers publish: best-effort and reliable subscribers can both connect."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=PUBLISHER_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


def image_subscription_qos(reliability: ReliabilityPolicy) -> QoSProfile:
    """Only the newest frame matters to our consumers."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability)


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
