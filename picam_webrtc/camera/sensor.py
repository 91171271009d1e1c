"""The geometry of a configured camera: what each of its streams shows of its sensor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from picam_webrtc.camera.sensor_mode import area, rectangle, view_text
from picam_webrtc.view import Rectangle, Size, View, mirrored_within


@dataclass(frozen=True, slots=True)
class Flips:
    """What the sensor does to its pictures: mirrors, then half a turn (180) or none (0)."""

    hflip: bool
    vflip: bool
    turn: int = 0

    @property
    def read_backwards(self) -> tuple[bool, bool]:
        """By columns, by rows: half a turn is both."""
        return self.hflip != bool(self.turn), self.vflip != bool(self.turn)


@dataclass(frozen=True, slots=True)
class Sensor:
    """Crops in the coordinates of libcamera's ScalerCrop: `limits` is all that the sensor mode sees, `whole` what the
    main stream shows of it unless told otherwise. `mode` is the sensor's output size [px].
    """

    pixel_array: Size
    mode: Size | None
    limits: Rectangle
    whole: Rectangle
    flips: Flips

    @classmethod
    def of(
        cls,
        properties: Mapping[str, Any],
        controls: Mapping[str, tuple[Any, Any, Any]],
        configuration: Mapping[str, Any],
        flips: Flips,
    ) -> Self | None:
        """From a configured Picamera2; None where the camera tells nothing of its sensor, as USB cameras do."""
        array, crop = properties.get("PixelArraySize"), controls.get("ScalerCrop")
        if array is None or crop is None or crop[1] is None or crop[2] is None or not area(rectangle(crop[2])):
            return None
        raw = configuration.get("raw")
        return cls(
            pixel_array=(int(array[0]), int(array[1])),
            mode=(int(raw["size"][0]), int(raw["size"][1])) if raw else None,
            limits=rectangle(crop[1]),
            whole=rectangle(crop[2]),
            flips=flips,
        )

    @property
    def text(self) -> str:
        mode = f" (sensor mode {self.mode[0]}x{self.mode[1]})" if self.mode else ""
        return f"{view_text(self.whole, self.pixel_array)} of what its sensor sees{mode}"

    def view(self, stream: str, metadata: Mapping[str, Any]) -> View:
        """What `stream` shows in a frame with that metadata.

        All streams have the crop of the first one, except on a Raspberry Pi 5, which tells each one's in ScalerCrops.
        """
        crops: Sequence[Any] = metadata.get("ScalerCrops") or ()
        crop = crops[1] if stream == "lores" and len(crops) > 1 else metadata.get("ScalerCrop")
        return View(
            pixel_array=self.pixel_array,
            crop=self._seen(rectangle(crop) if crop else self.whole),
            whole=self._seen(self.whole),
            hflip=self.flips.hflip,
            vflip=self.flips.vflip,
            orientation=self.flips.turn,
        )

    def _seen(self, crop: Rectangle) -> Rectangle:
        return mirrored_within(crop, self.limits, *self.flips.read_backwards)
