"""Every parameter of camera_node: name, type, default, range and description, once. The other nodes': settings.py."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from picam_webrtc.declaration import Managed, Param, Settings

MOST_WIDTH, MOST_HEIGHT = 9248, 6944
"""Of a picture [px]: an OV64A40's, the largest sensor that Raspberry Pi OS has a driver for."""
CAPTURE_SOCKET = Path("/run/picam_webrtc/capture.sock")
"""Where a capture service listens (deploy/picam-capture.socket)."""


@dataclass(frozen=True, slots=True)
class CameraSettings(Settings):
    source: Annotated[
        str,
        Param(
            "where frames come from; auto is Picamera2 when it sees a camera, else what test_pattern says",
            choices=("auto", "picamera2", "video_file", "bag", "test_pattern"),
            read_only=True,
        ),
    ] = "auto"
    video_file: Annotated[
        str,
        Param(
            "video or still picture that source video_file plays in a loop; fitted into width x height, "
            "its aspect ratio kept, with black bars where it does not fill the picture",
            read_only=True,
        ),
    ] = ""
    bag: Annotated[
        str, Param("folder of the rosbag2 recording that source bag plays in a loop, at its own size", read_only=True)
    ] = ""
    bag_topic: Annotated[
        str,
        Param(
            "topic of that recording to play, of type Image, CompressedImage, CompressedVideo or FFMPEGPacket; "
            "empty is the first one found, raw images before coded ones",
            read_only=True,
        ),
    ] = ""
    camera: Annotated[
        str,
        Param("camera that Picamera2 opens: index, id or part of its model's name; empty is the first", read_only=True),
    ] = ""
    network: Annotated[
        str,
        Param(
            "network that the sensor itself runs on each picture (Picamera2, IMX500: Raspberry Pi AI Camera): path of "
            "an .rpk file; what it finds is inference_node's transform:=sensor; empty is none",
            read_only=True,
        ),
    ] = ""
    test_pattern: Annotated[
        str,
        Param(
            "what source auto shows where a camera is expected and none is there: fallback is the test pattern, with "
            "frame_id test_pattern, never is nothing; either way it warns and looks for the camera until it comes",
            choices=("fallback", "never"),
            read_only=True,
        ),
    ] = "fallback"
    camera_process: Annotated[
        str,
        Param(
            "where Picamera2 runs: own is this process, separate a capture process; auto takes a capture service that "
            "stands, then this process where its Python has Picamera2, then a process under camera_python",
            choices=("auto", "own", "separate"),
            read_only=True,
        ),
    ] = "auto"
    camera_python: Annotated[str, Param("interpreter of a capture process, one that has Picamera2", read_only=True)] = (
        "/usr/bin/python3"
    )
    camera_socket: Annotated[
        str,
        Param(f"socket of a capture service; empty is {CAPTURE_SOCKET} where it stands", read_only=True),
    ] = ""
    width: Annotated[
        int,
        Param("picture width [px], even; the height where orientation is 90 or 270", 64, MOST_WIDTH, read_only=True),
    ] = 1280
    height: Annotated[
        int,
        Param("picture height [px], even; the width where orientation is 90 or 270", 64, MOST_HEIGHT, read_only=True),
    ] = 720
    format: Annotated[
        str,
        Param(
            "pixel format asked of Picamera2; yuv420 is published as nv12, the other sources always give bgr",
            choices=("bgr", "rgb", "bgra", "rgba", "yuv420", "nv12"),
            read_only=True,
        ),
    ] = "bgr"
    hflip: Annotated[bool, Param("mirror the picture left to right (Picamera2)", read_only=True)] = False
    vflip: Annotated[bool, Param("turn the picture upside down (Picamera2)", read_only=True)] = False
    orientation: Annotated[
        int,
        Param(
            "how far the picture is turned clockwise [degree]: 0, 90, 180 or 270; after the flips",
            0,
            270,
            read_only=True,
        ),
    ] = 0
    sensor_mode: Annotated[
        str,
        Param(
            "how the sensor is read, which decides the field of view (Picamera2): full is the widest view, WxH or "
            "WxH:bits one of the modes that list_cameras prints; empty is as libcamera chooses, often a narrower view",
            read_only=True,
        ),
    ] = ""
    crop: Annotated[
        str,
        Param(
            "what is shown of the sensor mode's view (Picamera2): x,y,width,height in sensor pixels, or a zoom about "
            "the centre such as 2.5; empty is all of it; while running it is the control ScalerCrop",
            read_only=True,
        ),
    ] = ""
    af_window: Annotated[
        str,
        Param(
            "where auto-focus looks (Picamera2): x,y,width,height as shares of the picture, such as 0.4,0.4,0.2,0.2; "
            "empty is where libcamera looks; while running it is the control AfWindows",
            read_only=True,
        ),
    ] = ""
    hdr: Annotated[
        str,
        Param(
            "high dynamic range made on the sensor (Picamera2, Camera Module 3, at most 2304x1296)",
            choices=("unchanged", "off", "on"),
            read_only=True,
        ),
    ] = "unchanged"
    tuning_file: Annotated[
        str,
        Param(
            "libcamera's tuning of the camera (Picamera2): a path, or a name in its data folder such as "
            "imx219_noir.json; empty is the one for the sensor",
            read_only=True,
        ),
    ] = ""
    buffer_count: Annotated[
        int,
        Param(
            "pictures that the camera may have in hand (Picamera2): more ride out a busy processor, each takes the "
            "memory of a picture",
            2,
            16,
            read_only=True,
        ),
    ] = 4
    lores_width: Annotated[
        int,
        Param(
            "width of the small second stream [px], even; 0 is no such stream (Picamera2)",
            0,
            MOST_WIDTH,
            read_only=True,
        ),
    ] = 0
    lores_height: Annotated[
        int,
        Param(
            "height of the small second stream [px], even; 0 is no such stream (Picamera2)",
            0,
            MOST_HEIGHT,
            read_only=True,
        ),
    ] = 0
    frame_rate: Annotated[float, Param("frames a second", 1.0, 120.0, read_only=True)] = 30.0
    camera_name: Annotated[str, Param("name of the camera in camera_info and calibration files", read_only=True)] = (
        "camera"
    )
    camera_info_url: Annotated[
        str,
        Param(
            "where the calibration is kept: file:///path or package://package/path, ${NAME} and ${ROS_HOME} are "
            "filled in; empty is file://${ROS_HOME}/camera_info/${NAME}.yaml",
            read_only=True,
        ),
    ] = ""
    jpeg_quality: Annotated[int, Param("quality of image_raw/compressed", 1, 100)] = 80
    frame_id: Annotated[
        str, Param("frame_id of every header; an optical frame (REP-103): z forward, x right, y down", read_only=True)
    ] = "camera_optical_frame"
    watchdog_timeout: Annotated[
        float,
        Param("how long no frame may come before the camera is closed and reopened [s]", 0.2, 60.0, read_only=True),
    ] = 2.0
    frequency_tolerance: Annotated[
        float, Param("share by which the frame rate may be off before diagnostics warn of it", 0.0, 1.0)
    ] = 0.1
    idle_timeout: Annotated[float, Param("how long the camera stays open with nobody subscribed [s]", 0.0, 3600.0)] = (
        5.0
    )
    managed: Managed = False
