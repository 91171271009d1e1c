"""The camera that a robot had, remembered from one start to the next: its absence is a fault then, and not a choice."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SeenCamera:
    """One line of text in ${ROS_HOME}/picam_webrtc, by the name of the camera."""

    path: Path

    @classmethod
    def of(cls, camera_name: str, environment: Mapping[str, str] = os.environ) -> Self:
        ros_home = Path(environment.get("ROS_HOME") or Path.home() / ".ros")
        return cls(ros_home / "picam_webrtc" / f"{quote(camera_name, safe='')}.camera")

    def recall(self) -> str:
        """What was seen; empty where nothing ever was."""
        try:
            return self.path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def remember(self, camera: str) -> None:
        """A place that cannot be written costs the memory only."""
        if self.recall() == camera:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(f"{camera}\n")
        except OSError as error:
            logger.info("That there is a camera is not remembered: %s", error)
