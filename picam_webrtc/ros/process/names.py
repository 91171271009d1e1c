"""Names of topics, checked before rclpy refuses them with a traceback."""

from rclpy.exceptions import NameValidationException
from rclpy.validate_topic_name import validate_topic_name


def fault_of_topic(name: str) -> str:
    """What is wrong with a topic's name, in rclpy's words; "" for a good one."""
    try:
        validate_topic_name(name)
    except NameValidationException as error:
        return name_fault(error)
    return ""


def name_fault(error: NameValidationException) -> str:
    """Its first line: below, it points to the character."""
    return str(error).splitlines()[0].rstrip(":")
