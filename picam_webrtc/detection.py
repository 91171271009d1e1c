"""What a model found in a frame: plain values for every consumer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A box in pixels of the picture: x to the right, y down; `x1`, `y1` exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return max(0.0, self.x1 - self.x0)

    @property
    def height(self) -> float:
        return max(0.0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def clipped(self, width: float, height: float) -> "BoundingBox":
        """The part of the box inside a picture of that size."""
        return BoundingBox(
            min(max(self.x0, 0.0), width),
            min(max(self.y0, 0.0), height),
            min(max(self.x1, 0.0), width),
            min(max(self.y1, 0.0), height),
        )


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A named point of a pose or a face, in pixels of the picture."""

    name: str
    x: float
    y: float
    score: float


@dataclass(frozen=True, slots=True)
class Detection:
    """One finding. `label` is the class's name, or its number as text where the model has no names."""

    class_id: int
    label: str
    score: float
    bbox: BoundingBox
    keypoints: tuple[Keypoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Detections:
    """All findings in one frame, best score first, with the source frame's header and size [px].

    `inference_ns` is the time that finding them took, 0 where unknown; `drawn` whether the picture shows them already.
    """

    stamp_ns: int
    frame_id: str
    width: int
    height: int
    items: tuple[Detection, ...] = ()
    inference_ns: int = 0
    drawn: bool = False
