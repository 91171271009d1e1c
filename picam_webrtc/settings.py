"""Every parameter of the nodes: name, type, default, range and description, once (camera_node's: camera_settings.py).

`ros/node/parameters.py` turns these classes into ROS parameters; the README's tables are made from them.
"""

from dataclasses import dataclass
from typing import Annotated

from picam_webrtc.camera_settings import CameraSettings
from picam_webrtc.declaration import Managed, Param, PathKind, Settings

__all__ = [
    "AddedCameraSettings",
    "CameraSettings",
    "InferenceSettings",
    "LaunchSettings",
    "WebRtcSettings",
]


SilenceWarning = Annotated[
    float, Param("seconds without a frame, while somebody asks for frames, that diagnostics warn of", 0.1, 3600.0)
]
SilenceError = Annotated[float, Param("seconds of it that they call an error", 0.1, 3600.0)]
SILENCE_WARNING_S, SILENCE_ERROR_S = 2.0, 10.0
"""Of each node that gets frames from another one (silence.py)."""


@dataclass(frozen=True, slots=True)
class InferenceSettings(Settings):
    transform: Annotated[
        str,
        Param(
            "what becomes of a frame: tflite runs the model, sensor takes what a network on the image sensor found "
            "(camera_node's parameter network), none passes it through",
            choices=("tflite", "sensor", "none"),
            read_only=True,
        ),
    ] = "tflite"
    model: Annotated[
        str,
        Param(
            "path of a .tflite file, or the name of a model that picam_webrtc.models can fetch; auto is "
            "ssd_mobilenet_v2, or face_detection where only that has been fetched",
            path=PathKind.PATH_OR_NAME,
        ),
    ] = "auto"
    labels: Annotated[
        str,
        Param(
            "path of a label file; empty takes the model's own labels, or the .txt file beside the model",
            path=PathKind.PATH,
        ),
    ] = ""
    task: Annotated[
        str,
        Param(
            "how the model's outputs are read; auto recognises it from the model",
            choices=(
                "auto",
                "ssd",
                "ssd_raw",
                "blazeface",
                "yolov5",
                "yolov8",
                "yolo_end_to_end",
                "classification",
                "segmentation",
                "pose",
            ),
        ),
    ] = "auto"
    input_mean: Annotated[float, Param("mean of the model's input, in pixel values; used when input_std is not 0")] = (
        0.0
    )
    input_std: Annotated[
        float, Param("standard deviation of the model's input, in pixel values; 0 takes the model's own", 0.0)
    ] = 0.0
    resize: Annotated[
        str,
        Param(
            "how a picture is fitted to the model's input; auto is what the task is usually trained with",
            choices=("auto", "stretch", "letterbox"),
        ),
    ] = "auto"
    enabled: Annotated[bool, Param("run the model; false passes frames through")] = True
    overlay: Annotated[bool, Param("draw detections into image_processed")] = True
    threshold: Annotated[float, Param("lowest score of a detection that is reported", 0.0, 1.0)] = 0.5
    max_detections: Annotated[int, Param("most detections reported for a frame, the best ones", 1, 500)] = 20
    class_filter: Annotated[
        tuple[str, ...], Param("names or numbers of the only classes reported; empty reports all")
    ] = ()
    nms_iou: Annotated[
        float, Param("overlap (IoU) above which the weaker of two boxes of a class is dropped", 0.0, 1.0)
    ] = 0.5
    num_threads: Annotated[
        int, Param("threads of the interpreter; 0 is 1 below 4 cores, else half of them, 4 at most", 0, 64)
    ] = 0
    delegate: Annotated[
        str,
        Param(
            "shared library of an external delegate, such as libedgetpu.so.1; empty is the CPU",
            path=PathKind.PATH_OR_NAME,
        ),
    ] = ""
    delegate_options: Annotated[tuple[str, ...], Param("options of the delegate, each as key=value")] = ()
    delegate_fallback: Annotated[bool, Param("run on the CPU when the delegate does not load")] = False
    class_ids: Annotated[
        str,
        Param(
            "what class_id is in the topic detections: the class's name where it has one, or its number",
            choices=("name", "number"),
        ),
    ] = "name"
    lores_topic: Annotated[
        str,
        Param(
            "topic of a smaller picture with the same stamps to run the model on; empty runs it on image_raw",
            read_only=True,
        ),
    ] = ""
    min_rate: Annotated[
        float, Param("frames a second below which diagnostics warn of a model that is too slow", 0.0, 1000.0)
    ] = 0.0
    silence_warning: SilenceWarning = SILENCE_WARNING_S
    silence_error: SilenceError = SILENCE_ERROR_S
    managed: Managed = False


@dataclass(frozen=True, slots=True)
class WebRtcSettings(Settings):
    streams: Annotated[
        tuple[str, ...],
        Param("the streams that are served, each as name:=topic, of type Image or CompressedImage; /whep is the first"),
    ] = ("processed:=image_processed", "raw:=image_raw")
    discover: Annotated[bool, Param("serve every other image topic of the robot too, as topics come and go")] = False
    encoded_topics: Annotated[
        str,
        Param(
            "publish each stream's coded video beside its topic, at no second encoding: compressed_image and "
            "compressed_video (foxglove_msgs) as <topic>/h264, ffmpeg_packet (ffmpeg_image_transport_msgs) as "
            "<topic>/ffmpeg",
            choices=("off", "compressed_image", "compressed_video", "ffmpeg_packet"),
            read_only=True,
        ),
    ] = "off"
    host: Annotated[str, Param("address the web server listens on; 0.0.0.0 is every interface", read_only=True)] = (
        "127.0.0.1"
    )
    port: Annotated[int, Param("TCP port of the web server; 0 takes a free one", 0, 65535, read_only=True)] = 8080
    token: Annotated[
        str,
        Param(
            "what viewers must show; empty: nothing on loopback, and a token made at start on any other address",
            read_only=True,
        ),
    ] = ""
    operator_token: Annotated[
        str, Param("what whoever may change camera and inference parameters must show", read_only=True)
    ] = ""
    token_file: Annotated[
        str,
        Param(
            "file with the viewers' token in its first line and the operators' in its second",
            read_only=True,
            path=PathKind.PATH,
        ),
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...],
        Param(
            "other pages that may use this server, as https://host:port; * is every page; their hosts are also names "
            "by which this server may be called",
            read_only=True,
        ),
    ] = ()
    tls: Annotated[
        str,
        Param(
            "auto makes a certificate for this machine where tls_cert is empty",
            choices=("off", "auto"),
            read_only=True,
        ),
    ] = "off"
    tls_cert: Annotated[
        str,
        Param(
            "PEM file of the certificate chain; read again when it changes; https when set",
            read_only=True,
            path=PathKind.PATH,
        ),
    ] = ""
    tls_key: Annotated[str, Param("PEM file of the certificate's private key", read_only=True, path=PathKind.PATH)] = ""
    ice_port_min: Annotated[int, Param("first UDP port for viewers; 0: any", 0, 65535, read_only=True)] = 0
    ice_port_max: Annotated[int, Param("last UDP port for viewers", 0, 65535, read_only=True)] = 0
    ice_servers: Annotated[
        tuple[str, ...],
        Param("handed to viewers: stun:host:port, turn:host:port?transport=udp, turns:host:port", read_only=True),
    ] = ()
    turn_username: Annotated[str, Param("user name for the turn: servers, with turn_password", read_only=True)] = ""
    turn_password: Annotated[str, Param("password for the turn: servers", read_only=True)] = ""
    turn_secret: Annotated[
        str,
        Param(
            "secret shared with the turn: servers; each viewer gets credentials of its own for a day", read_only=True
        ),
    ] = ""
    max_requests_per_second: Annotated[
        float,
        Param("HTTP requests a second from one address, beyond a burst of twice as many", 1.0, 10000.0, read_only=True),
    ] = 50.0
    max_connections: Annotated[int, Param("open HTTP connections", 4, 10000, read_only=True)] = 256
    max_connections_per_address: Annotated[
        int, Param("open HTTP connections from one address", 2, 10000, read_only=True)
    ] = 64
    connection_idle_timeout: Annotated[
        float, Param("how long an HTTP connection may say nothing [s]", 1.0, 3600.0, read_only=True)
    ] = 30.0
    max_sdp_bytes: Annotated[
        int, Param("largest offer, answer or candidate fragment that is read [bytes]", 4096, 1 << 20, read_only=True)
    ] = 65536
    bitrate: Annotated[int, Param("video bitrate of a stream on the rung full [bit/s]", 100_000, 50_000_000)] = (
        2_000_000
    )
    codecs: Annotated[
        tuple[str, ...],
        Param("codecs that are offered, the preferred one first: h264, vp8", read_only=True),
    ] = ("h264", "vp8")
    controlled_nodes: Annotated[
        tuple[str, ...],
        Param("nodes whose parameters operators may see and change in the page", read_only=True),
    ] = ("camera_node", "inference_node", "webrtc_node")
    mjpeg_frame_rate: Annotated[
        float, Param("most plain pictures a second, where WebRTC does not get through", 0.1, 60.0)
    ] = 10.0
    mjpeg_quality: Annotated[int, Param("JPEG quality of plain pictures", 1, 100)] = 75
    encode_frame_rate: Annotated[
        float, Param("most frames a second that are encoded; frames beyond it are left out", 1.0, 120.0)
    ] = 30.0
    keyframe_interval: Annotated[float, Param("longest time between two key frames [s]", 0.5, 3600.0)] = 10.0
    min_keyframe_interval: Annotated[
        float, Param("shortest time between two key frames, however many viewers ask [s]", 0.0, 10.0)
    ] = 0.2
    hardware_encoder: Annotated[
        bool, Param("use the machine's H.264 encoder (h264_v4l2m2m) where it has one that opens", read_only=True)
    ] = True
    adaptive: Annotated[
        bool, Param("give viewers behind a slow link a smaller rendition, half or quarter of the bitrate")
    ] = True
    max_viewers: Annotated[int, Param("viewers of all streams together, connecting ones included", 1, 10_000)] = 128
    max_viewers_per_address: Annotated[int, Param("of them from one address", 1, 10_000)] = 32
    max_pending_sessions: Annotated[int, Param("of them not connected yet", 1, 10_000)] = 32
    connect_timeout: Annotated[float, Param("how long a viewer may take to connect [s]", 0.1, 600.0)] = 15.0
    silence_warning: SilenceWarning = SILENCE_WARNING_S
    silence_error: SilenceError = SILENCE_ERROR_S
    loss_warning: Annotated[
        float, Param("share of a viewer's packets lost on their way that diagnostics warn of", 0.0, 1.0)
    ] = 0.05
    publish_urls: Annotated[
        tuple[str, ...],
        Param("media servers that streams are sent to by WHIP, each as name:=https://host/path", read_only=True),
    ] = ()
    publish_token: Annotated[
        str, Param("bearer token shown to the media servers; must be empty with publish_token_file", read_only=True)
    ] = ""
    publish_token_file: Annotated[
        str,
        Param(
            "file with that token, or with a line name:=token for each stream; read again for every connection",
            read_only=True,
            path=PathKind.PATH,
        ),
    ] = ""
    publish_ice_servers: Annotated[
        tuple[str, ...],
        Param(
            "servers that publishing itself uses, beside those that the media server names: stun:host:port, "
            "turn:host:port?transport=udp (with turn_username and turn_password)",
            read_only=True,
        ),
    ] = ()
    publish_readers_urls: Annotated[
        tuple[str, ...],
        Param(
            "where a media server's API tells who reads a stream, each as name:=https://host/path; a stream that "
            "nobody reads is then not encoded",
            read_only=True,
        ),
    ] = ()
    managed: Managed = False


@dataclass(frozen=True, slots=True)
class LaunchSettings(Settings):
    """The launch file's own arguments."""

    composed: Annotated[
        str,
        Param(
            "all nodes in one process, where images are handed over without a copy; auto does so on machines with up "
            "to 4 processor cores",
            choices=("auto", "true", "false"),
        ),
    ] = "auto"
    namespace: Annotated[
        str, Param("namespace of all nodes and topics; those in the file of cameras:= are below it")
    ] = ""
    params_file: Annotated[str, Param("YAML file with node parameters", path=PathKind.PATH)] = ""
    cameras: Annotated[
        str,
        Param(
            "YAML file with node parameters in which every namespace that has a camera_node is a camera; all of them "
            "are served by one webrtc_node",
            path=PathKind.PATH,
        ),
    ] = ""
    record: Annotated[bool, Param("record coded video, camera_info, detections and the robot's log to a bag")] = False
    record_to: Annotated[
        str, Param("folder that record makes for its bag; empty is ./picam_webrtc_<date>_<time>", path=PathKind.PATH)
    ] = ""
    respawn: Annotated[bool, Param("start a process again that has died")] = False
    respawn_delay: Annotated[float, Param("how long to wait before that [s]", 0.0, 3600.0)] = 1.0
    log_level: Annotated[str, Param("least severity that is logged", choices=("debug", "info", "warn", "error"))] = (
        "info"
    )


@dataclass(frozen=True, slots=True)
class AddedCameraSettings(Settings):
    """What only the launch file that adds a camera asks for."""

    webrtc_node: Annotated[
        str, Param("name of the node that is to serve the streams; a relative one is below a pushed namespace, if any")
    ] = "webrtc_node"
