"""Ways to a capture process: started here in a clean environment, or by whoever listens at a socket; and the choice."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from picam_webrtc.camera import capture_process, conversation, reach
from picam_webrtc.camera.automatic import AutomaticSource
from picam_webrtc.camera.capture_process import NoPicamera2, Service, Spawned, clean_environment, spawned
from picam_webrtc.camera.list_cameras import lines
from picam_webrtc.camera.picamera2 import Picamera2Source
from picam_webrtc.camera.picamera2_library import CameraLibrary
from picam_webrtc.camera.remote import RemoteSource, remote_listing
from picam_webrtc.camera.source import make_source
from picam_webrtc.errors import CameraError, SettingError
from picam_webrtc.settings import CameraSettings
from picam_webrtc_test.camera.capture_listener import CLIENT, Listener, container, fake_command, listening
from picam_webrtc_test.camera.fake_picamera2 import FakeLibrary
from picam_webrtc_test.camera.remote_sources import Recovery, fault_of, next_frame_set, wait_until


@pytest.fixture
def fault_file(tmp_path: Path) -> Path:
    return tmp_path / "fault"


@pytest.fixture(autouse=True)
def ros_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "capture.sock"


@pytest.fixture
def listener(socket_path: Path, fault_file: Path) -> Iterator[Listener]:
    with listening(socket_path, fake_command(fault_file)) as listener:
        yield listener


def settings(**values: Any) -> CameraSettings:
    return CameraSettings.from_values({"source": "picamera2", "width": 64, "height": 64, **values})


def without_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> CameraLibrary:
        raise CameraError("Picamera2 cannot be imported (No module named 'libcamera')")

    monkeypatch.setattr(reach, "installed_library", fail)


def with_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "installed_library", lambda: FakeLibrary("ov5647"))


def with_system(monkeypatch: pytest.MonkeyPatch, fault_file: Path, models: str = "imx708") -> None:
    """Let the system's Python have a Picamera2."""
    monkeypatch.setattr(reach, "SYSTEM_PICAMERA2", Path(__file__))
    monkeypatch.setattr(reach, "spawned", lambda _: Spawned(tuple(fake_command(fault_file, models))))


def test_a_process_gets_nothing_that_leads_to_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "AMENT_PREFIX_PATH"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("LIBCAMERA_LOG_LEVELS", "*:WARN")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    environment = clean_environment()

    assert "/elsewhere" not in environment.values()
    assert environment["LIBCAMERA_LOG_LEVELS"] == "*:WARN"
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["PATH"].split(":")[-4:] == ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]


def test_the_command_isolates_the_interpreter_and_names_the_file() -> None:
    way = spawned("/usr/bin/python3")

    assert way.command[:2] == ("/usr/bin/python3", "-I")
    assert Path(way.command[2]).name == "serve.py"
    assert Path(way.command[2]).is_file()


def test_serve_finds_its_package_under_a_poisoned_environment(tmp_path: Path) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("raise ImportError('built for another Python')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-I", spawned("").command[2], "0"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert ended.stderr.startswith("picam_webrtc: usage: python3 -I serve.py DESCRIPTOR")


def test_a_python_without_picamera2_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoPicamera2, match=r"the capture process under .*: Picamera2 cannot be imported"):
        RemoteSource(settings(), spawned(sys.executable))


def test_a_python_that_is_not_there_says_so() -> None:
    with pytest.raises(NoPicamera2, match="/nowhere/python3 does not start: No such file or directory"):
        RemoteSource(settings(), spawned("/nowhere/python3"))


def test_a_service_starts_a_process_for_each_opening(listener: Listener, socket_path: Path) -> None:
    source = RemoteSource(settings(), Service(socket_path))
    source.probe()
    wait_until(lambda: listener.alive == [], "the end of the first process")
    source.open()
    next_frame_set(source)
    assert len(listener.alive) == 1
    source.close()
    wait_until(lambda: listener.alive == [], "the end of the process")
    assert len(listener.processes) == 2


def test_two_cameras_of_a_service_deliver_at_once(listener: Listener, socket_path: Path) -> None:
    sources = [RemoteSource(settings(camera=camera), Service(socket_path)) for camera in ("imx708", "imx219")]
    for source in sources:
        source.open()
    for _ in range(3):
        for source in sources:
            next_frame_set(source)

    assert [source.camera.model for source in sources] == ["imx708", "imx219"]
    assert len(listener.alive) == 2
    for source in sources:
        source.close()


def test_a_process_of_a_service_that_is_killed_says_where_to_look(listener: Listener, socket_path: Path) -> None:
    source = RemoteSource(settings(), Service(socket_path))
    source.open()
    listener.processes[-1].kill()

    assert fault_of(source) == "the capture service has ended the connection; its journal tells why"
    source.close()


@pytest.mark.heavy
@pytest.mark.parametrize("hang", ["gil", "lock"])
def test_a_process_of_a_service_that_hangs_ends_itself_and_is_replaced_within_4_s(
    listener: Listener, socket_path: Path, fault_file: Path, hang: str
) -> None:
    def disturb() -> None:
        fault_file.write_text(hang)

    recovery = Recovery(RemoteSource(settings(), Service(socket_path)))
    with recovery.capture:
        assert recovery.seconds_until_back(disturb) <= 4.0
        wait_until(lambda: len(listener.alive) == 1, "the hung process' end")


def test_a_client_that_is_killed_leaves_no_process(listener: Listener, socket_path: Path) -> None:
    client = subprocess.Popen(
        [sys.executable, str(CLIENT), str(socket_path), "1000"], stdout=subprocess.PIPE, env={**os.environ}
    )
    assert client.stdout is not None
    client.stdout.readline()
    assert listener.alive
    client.kill()
    client.communicate()

    wait_until(lambda: listener.alive == [], "the end of the capture process")


def test_versions_that_differ_are_told_in_one_line(
    listener: Listener, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "PROTOCOL", 2)
    with pytest.raises(CameraError) as error:
        RemoteSource(settings(), Service(socket_path))

    assert str(error.value) == (
        f"the capture service at {socket_path} speaks protocol 1 (picam_webrtc 0.1.0), camera_node protocol 2 "
        "(picam_webrtc 0.1.0): update the older copy"
    )


def test_a_service_that_does_not_answer_is_told_of(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "ANSWER_TIMEOUT_S", 0.2)
    with (
        listening(socket_path, ["sleep", "60"]),
        pytest.raises(CameraError, match=r"the capture service at .* does not answer within 0.2 s"),
    ):
        RemoteSource(settings(), Service(socket_path))


def test_a_socket_that_is_named_is_taken(
    listener: Listener, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own(monkeypatch)
    source = make_source(settings(camera_socket=str(socket_path)))

    assert isinstance(source, RemoteSource)
    source.close()
    listed = list(lines())
    assert listed[0].startswith("camera 0, ov5647")


def test_a_socket_that_stands_is_taken(listener: Listener, socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_own(monkeypatch)
    monkeypatch.setattr(reach, "CAPTURE_SOCKET", socket_path)
    monkeypatch.setattr(reach, "Service", lambda: Service(socket_path))
    source = make_source(settings(source="auto"))

    assert isinstance(source, RemoteSource)
    source.close()
    assert next(lines()).startswith("camera 0, imx708")
    assert isinstance(make_source(settings(camera_process="own")), Picamera2Source)


def test_a_socket_that_stands_with_nobody_behind_it_is_passed_by(
    socket_path: Path, fault_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(socket_path, fake_command(fault_file)):
        pass
    socket_path.touch()
    with_own(monkeypatch)
    monkeypatch.setattr(reach, "CAPTURE_SOCKET", socket_path)
    monkeypatch.setattr(reach, "Service", lambda: Service(socket_path))

    assert isinstance(make_source(settings()), Picamera2Source)


def test_a_socket_that_is_named_and_where_nobody_listens_is_a_bad_parameter(
    socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own(monkeypatch)
    with pytest.raises(SettingError, match=rf"'camera_socket' = '{socket_path}': no capture service answers at"):
        make_source(settings(source="auto", camera_socket=str(socket_path)))


def test_the_own_picamera2_comes_before_the_systems(fault_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_own(monkeypatch)
    with_system(monkeypatch, fault_file)

    assert isinstance(make_source(settings()), Picamera2Source)
    separate = make_source(settings(camera_process="separate"))
    assert isinstance(separate, RemoteSource)
    separate.close()


def test_the_systems_picamera2_is_taken_where_there_is_no_own(
    fault_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    without_own(monkeypatch)
    with_system(monkeypatch, fault_file)
    source = make_source(settings(source="auto"))

    assert isinstance(source, RemoteSource)
    assert "Source auto takes Picamera2: it sees camera 0, imx708 (/base/i2c@0/imx708)" in caplog.messages
    source.close()
    assert next(lines()).startswith("camera 0, imx708")


def test_the_systems_picamera2_without_a_camera_is_a_camera_that_is_looked_for(
    fault_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_own(monkeypatch)
    with_system(monkeypatch, fault_file, models="")

    source = make_source(settings(source="auto"))
    assert isinstance(source, AutomaticSource)
    assert source.notice.startswith("no camera, the test pattern is shown: Picamera2 sees no camera")
    with_system(monkeypatch, fault_file)
    source.open()
    frame_set = source.read(10)
    source.close()
    assert frame_set is not None
    assert frame_set.frame.frame_id == "camera_optical_frame"
    with_system(monkeypatch, fault_file, models="")
    with pytest.raises(SettingError, match="Picamera2 sees no camera"):
        make_source(settings())


def test_without_any_the_error_has_the_reasons_of_all_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_own(monkeypatch)
    monkeypatch.setattr(reach, "CAPTURE_SOCKET", tmp_path / "no.sock")
    monkeypatch.setattr(reach, "SYSTEM_PICAMERA2", tmp_path / "picamera2")
    with pytest.raises(SettingError) as error:
        make_source(settings())

    assert error.value.reason == (
        f"there is no Picamera2: no capture service is at {tmp_path}/no.sock; Picamera2 cannot be imported "
        f"(No module named 'libcamera'); /usr/bin/python3 has none (there is no {tmp_path}/picamera2); "
        "or take source:=test_pattern, or source:=video_file"
    )


def test_a_python_that_is_named_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_own(monkeypatch)
    with pytest.raises(
        SettingError, match=rf"the capture process under {sys.executable}: Picamera2 cannot be imported"
    ):
        make_source(settings(camera_python=sys.executable))


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: there are no namespaces to be had")
def test_in_namespaces_of_its_own_with_only_the_socket_shared_it_is_the_same(
    listener: Listener, socket_path: Path
) -> None:
    client = [*container(socket_path.parent), sys.executable, str(CLIENT), "", "60"]
    ended = subprocess.run(client, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout.splitlines()[-1])
    assert report["source"] == "RemoteSource"
    assert report["pids"] == [1, 0]  # it is alone there, and sees no other side
    assert report["stamps"] == sorted(set(report["stamps"]))
    wait_until(lambda: listener.alive == [], "the end of the capture process")


def test_the_listing_of_a_capture_process_is_that_of_this_one(fault_file: Path) -> None:
    listed = remote_listing(Spawned(tuple(fake_command(fault_file))))

    assert [line for line in listed if not line.startswith(" ")] == [
        "camera 0, imx708 (/base/i2c@0/imx708)",
        "camera 1, imx219 (/base/i2c@1/imx219)",
    ]
    assert any("ExposureTime: int, 9 to 77208384" in line for line in listed)
    assert capture_process.SERVE.is_file()
