"""Everything this package raises on purpose.

PicamWebrtcError
├── DependencyError         a package that is needed is missing or has a version that does not work
├── SettingError            a parameter's value is wrong; names parameter, value and remedy
├── ParameterError          a node refused a change of its parameters, or does not answer
├── CameraError             a frame source failed while it was open or opening
├── ModelError              a model does not load, or its tensors are not understood
│   └── ModelNotFetched     a model known by name is not on this machine yet
├── ImageError              a picture whose encoding, size or layout cannot be used
├── MalformedDetections     a text that is no detections in JSON
├── MalformedSensorOutputs  a text that is no outputs of a network on the sensor in JSON
└── StreamError             WebRTC signalling
    ├── MalformedOffer      not SDP at all
    ├── UnusableOffer       SDP that no answer of ours can satisfy
    ├── NoLiveSource        nobody publishes the stream's topic
    ├── TooManyViewers      a limit is reached; try again later
    ├── UnknownStream       no stream has that name
    ├── UnknownSession      ended, or never was
    └── PublishError        a media server does not take a stream of ours

Errors of foreign libraries are translated in the one file that imports the library.
"""

from __future__ import annotations  # for Pythons that are too old for the rest


class PicamWebrtcError(Exception):
    """Base of the tree: its text is one line, fit to be shown to a user as it is."""


class DependencyError(PicamWebrtcError):
    """A package that is needed is missing, or has a version that does not work; names the command that mends it."""


class SettingError(PicamWebrtcError):
    """A parameter has a value that cannot be used.

    `reason` says what is wrong and what to do, in one line.
    """

    def __init__(self, parameter: str, value: object, reason: str) -> None:
        super().__init__(f"parameter '{parameter}' = {value!r}: {reason}")
        self.parameter = parameter
        self.value = value
        self.reason = reason


class ParameterError(PicamWebrtcError):
    """A node refused a change of its parameters, or does not answer."""


class CameraError(PicamWebrtcError):
    """A frame source failed."""


class ModelError(PicamWebrtcError):
    """A model does not load, or its inputs and outputs follow no known convention."""


class ModelNotFetched(ModelError):
    """A model that `picam_webrtc.models` knows by name has not been fetched yet."""


class ImageError(PicamWebrtcError):
    """A picture's encoding, size or memory layout cannot be used."""


class MalformedDetections(PicamWebrtcError):
    """A text that is no detections in JSON."""


class MalformedSensorOutputs(PicamWebrtcError):
    """A text that is no outputs of a network on the sensor in JSON."""


class StreamError(PicamWebrtcError):
    """WebRTC signalling failed; the subclasses are what HTTP status codes are made from."""


class MalformedOffer(StreamError):
    """The offer, answer or candidate fragment does not parse."""


class UnusableOffer(StreamError):
    """The offer parses but asks for nothing we can send."""


class NoLiveSource(StreamError):
    """Nobody publishes the topic behind the stream."""


class TooManyViewers(StreamError):
    """A viewer limit is reached."""


class UnknownStream(StreamError):
    """No stream has that name."""


class UnknownSession(StreamError):
    """The session has ended or never existed."""


class PublishError(StreamError):
    """A media server cannot be reached, does not take our stream, or has lost it.

    `lasting` says that trying again soon is of no use; `retry_after_s` is what the server asked for [s].
    """

    def __init__(self, text: str, *, retry_after_s: float | None = None, lasting: bool = False) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.lasting = lasting
