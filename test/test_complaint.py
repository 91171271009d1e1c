"""What is said once, and not with every frame."""

from picam_webrtc.complaint import Complaint
from picam_webrtc.errors import ImageError


def test_the_same_complaint_is_made_once_and_another_one_is_made_too() -> None:
    said: list[str] = []
    complain = Complaint(said.append)

    for text in ("odd", "odd", "torn", "torn", "odd"):
        complain(ImageError(text))

    assert said == ["odd", "torn", "odd"]
