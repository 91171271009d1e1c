"""ROS and its middleware: which profile is in force in which distribution, and whether it gets its memory."""

import os
import re
import shutil
from pathlib import Path

import pytest

from picam_webrtc.doctor.children import LATE, Answer, Answers
from picam_webrtc.doctor.finding import PATIENCE, Finding, Level
from picam_webrtc.doctor.ros import MIDDLEWARE, RCLPY, fast_dds, our_profile, profile_in_force, ros, shared_memory
from picam_webrtc.ros.process.shared_memory import FAST_DDS_2, FAST_DDS_3, FastDds
from picam_webrtc_test.doctor.support import diagnose

OURS = Path(__file__).parents[2] / "config" / "fastdds.xml"
OLD_VARIABLE, VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
KILTED: Answers = {RCLPY: Answer(""), MIDDLEWARE: Answer(["rmw_fastrtps_cpp", "libfastdds.so.3.2"])}
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - as the check is called
MOUNT = 'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"'


def test_the_generation_is_told_by_the_name_of_its_library() -> None:
    assert fast_dds(["libfastrtps.so.2.14"]) is FAST_DDS_2  # Jazzy
    assert fast_dds(["libfastdds.so.3.2"]) is FAST_DDS_3  # Kilted
    assert fast_dds(["libddsc.so.0"]) is None


def test_ours_is_in_force_unless_the_user_chose(tmp_path: Path) -> None:
    found, profile = profile_in_force(FAST_DDS_2, {}, tmp_path)

    assert found == Finding("Fast DDS profile", Level.OK, f"ours: {OURS}")
    assert profile == OURS


@pytest.mark.parametrize(
    ("generation", "variable"), [(FAST_DDS_2, OLD_VARIABLE), (FAST_DDS_3, VARIABLE), (FAST_DDS_3, OLD_VARIABLE)]
)
def test_a_profile_of_the_users_own_is_left_in_force(tmp_path: Path, generation: FastDds, variable: str) -> None:
    large, small = tmp_path / "large.xml", tmp_path / "small.xml"
    large.write_text("<segment_size>16777216</segment_size>")
    small.write_text("<segment_size>524288</segment_size>")

    enough, profile = profile_in_force(generation, {variable: str(large)}, tmp_path)
    little, _ = profile_in_force(generation, {variable: str(small)}, tmp_path)
    missing, _ = profile_in_force(generation, {variable: "/no/such.xml"}, tmp_path)

    assert enough == Finding("Fast DDS profile", Level.OK, f"your own: {variable}={large}")
    assert profile == large
    assert little.level is Level.WARNING
    assert "may lose most 1280x720 images" in little.found
    assert little.remedy.endswith(f"config/fastdds.xml does, or unset {variable}")
    assert missing.level is Level.WARNING
    assert missing.remedy == f"correct it, or unset {variable}"


def test_the_variable_of_the_other_generation_is_not_read(tmp_path: Path) -> None:
    found, profile = profile_in_force(FAST_DDS_2, {VARIABLE: "/mine.xml"}, tmp_path)

    assert found.level is Level.WARNING
    assert f"{VARIABLE} is not read by this Fast DDS" in found.found
    assert found.remedy == f"set {OLD_VARIABLE} instead"
    assert profile == OURS


@pytest.mark.parametrize(
    ("generation", "name"),
    [(FAST_DDS_2, "DEFAULT_FASTRTPS_PROFILES.xml"), (FAST_DDS_3, "DEFAULT_FASTDDS_PROFILES.xml")],
)
def test_a_profile_in_the_working_directory_is_in_force(tmp_path: Path, generation: FastDds, name: str) -> None:
    shutil.copy(OURS, tmp_path / name)

    found, _ = profile_in_force(generation, {}, tmp_path)

    assert found == Finding("Fast DDS profile", Level.OK, f"your own: {tmp_path / name}")


def test_transports_that_the_user_chose_are_left_and_what_that_costs_is_told(tmp_path: Path) -> None:
    found, profile = profile_in_force(FAST_DDS_3, {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}, tmp_path)

    assert found.level is Level.WARNING
    assert "may lose most 1280x720 images" in found.found
    assert found.remedy == "unset FASTDDS_BUILTIN_TRANSPORTS"
    assert profile is None


def test_our_profile_is_found_where_ament_has_it(tmp_path: Path) -> None:
    installed = tmp_path / "share" / "picam_webrtc" / "config" / "fastdds.xml"
    installed.parent.mkdir(parents=True)
    shutil.copy(OURS, installed)

    assert our_profile({"AMENT_PREFIX_PATH": f"/opt/ros/jazzy:{tmp_path}"}) == installed


def test_shared_memory_that_is_short_is_told_with_the_remedy(tmp_path: Path) -> None:
    huge = tmp_path / "huge.xml"
    huge.write_text(f"<segment_size>{1 << 60}</segment_size>")

    assert shared_memory(OURS, folder=tmp_path).level is Level.OK  # a disk has 106 MB
    assert shared_memory(huge, folder=tmp_path).level is Level.WARNING
    assert "--shm-size=256m" in shared_memory(huge, folder=tmp_path).remedy


def test_a_container_with_64_mb_is_told_that_they_are_too_little_for_three_processes() -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a mount namespace takes root and unshare")
    prefix = ("unshare", "--mount", "sh", "-c", MOUNT, "sh")

    found = diagnose(prefix=prefix)[SHARED_MEMORY]

    assert found.level is Level.WARNING
    # config/fastdds.xml asks for 32 MiB, of which Fast DDS makes a tenth more: 35.2 each.
    assert found.found.startswith("64 MB free; three nodes in three processes take 106, in one 35")
    assert "docker run --shm-size=256m" in found.remedy
    assert "composed:=true" in found.remedy


def lines(answers: Answers, **environment: str) -> dict[str, Finding]:
    return {one.check: one for one in ros(answers, {"HOME": "/", **environment}, Path("/"))}


def test_without_ros_there_is_one_line() -> None:
    (found,) = lines({}).values()

    assert found.level is Level.BROKEN
    assert "setup.bash" in found.remedy


def test_another_middleware_needs_no_profile() -> None:
    found = lines({RCLPY: Answer(""), MIDDLEWARE: Answer(["rmw_cyclonedds_cpp", "libddsc.so.0"])})

    assert found["middleware"].level is Level.OK
    assert not {"Fast DDS profile", SHARED_MEMORY} & found.keys()


def test_a_middleware_that_is_not_installed_is_to_be_installed_or_not_asked_for() -> None:
    answers = {RCLPY: Answer(""), MIDDLEWARE: Answer(error="RuntimeError: failed to load shared library")}

    found = lines(answers, RMW_IMPLEMENTATION="rmw_zenoh_cpp")["middleware"]

    assert found.level is Level.BROKEN
    assert found.remedy.endswith("-rmw-zenoh-cpp, or unset RMW_IMPLEMENTATION")


CYCLONE = {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "ROS_DISTRO": "jazzy"}


def test_a_middleware_for_whose_lack_rcl_ends_the_process_is_named_and_nothing_else() -> None:
    """`import rclpy` calls exit(102) then: rcl, rmw_implementation_identifier_check.c."""
    ended = Answer(error="it ends the process (exit code 102)")
    answers = {RCLPY: ended, MIDDLEWARE: Answer(error="not tried", untold="mend rclpy first")}

    found = lines(answers, **CYCLONE)

    assert "rmw_cyclonedds_cpp, which RMW_IMPLEMENTATION asks for, is not installed" in found["middleware"].found
    assert found["middleware"].remedy.endswith("-rmw-cyclonedds-cpp, or unset RMW_IMPLEMENTATION")
    assert "ROS 2" not in found


def test_a_middleware_that_is_really_not_installed_is_named() -> None:
    diagnosis = diagnose(environment=CYCLONE)

    assert diagnosis.exit_code == 1
    assert diagnosis["middleware"].level is Level.BROKEN
    assert re.search(r"ros-\w+-rmw-cyclonedds-cpp, or unset RMW_IMPLEMENTATION", diagnosis["middleware"].remedy)


def test_what_has_no_answer_in_time_leaves_the_middleware_and_the_profile_unknown() -> None:
    late = Answer(error=LATE, untold=PATIENCE)

    found = lines({RCLPY: late, MIDDLEWARE: late})

    assert {name for name, one in found.items() if one.level is Level.UNKNOWN} == {
        "ROS 2", "middleware", "Fast DDS profile",
    }  # fmt: skip


def test_a_service_without_a_home_is_told_what_to_set(tmp_path: Path) -> None:
    found = {one.check: one for one in ros(KILTED, {}, Path("/"))}["ROS logs"]

    assert found.level is Level.BROKEN
    assert found.found == "ROS has no folder for its logs: HOME is not set"
    assert "ROS_LOG_DIR" in found.remedy
    assert lines(KILTED, ROS_LOG_DIR=str(tmp_path))["ROS logs"].level is Level.OK


def test_an_rclpy_that_does_not_load_is_told() -> None:
    broken = Answer(error="ImportError: libpython3.12.so.1.0: cannot open shared object file")

    found = lines({RCLPY: broken, MIDDLEWARE: broken})

    assert found["ROS 2"].level is Level.BROKEN
    assert "libpython3.12" in found["ROS 2"].found
    assert found["ROS 2"].remedy
    assert "middleware" not in found


@pytest.mark.parametrize(
    ("environment", "level", "text"),
    [
        ({}, Level.OK, "domain 0, nodes of the network too"),
        ({"ROS_DOMAIN_ID": "42", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, Level.OK, "domain 42, nodes of this"),
        ({"ROS_LOCALHOST_ONLY": "1"}, Level.OK, "nodes of this machine only"),
        ({"ROS_DOMAIN_ID": "robot"}, Level.BROKEN, "ROS_DOMAIN_ID=robot is no number"),
        ({"ROS_DOMAIN_ID": "200"}, Level.WARNING, "ROS_DOMAIN_ID=200 may meet ports"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"}, Level.WARNING, "is off"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LAN"}, Level.WARNING, "LAN means nothing"),
    ],
)
def test_who_sees_whom_is_told(environment: dict[str, str], level: Level, text: str) -> None:
    found = lines(KILTED, **environment)["discovery"]

    assert found.level is level
    assert text in found.found
    assert bool(found.remedy) == (level is not Level.OK)


def test_the_systems_python_is_told_of_the_environment_that_has_ros(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("picam_webrtc.doctor.ros.SOURCED", tmp_path)
    monkeypatch.setattr("picam_webrtc.doctor.ros.environment_beside", lambda: Path("/home/pi/src/.venv/bin/python3"))

    (found,) = lines({}).values()

    assert "take /home/pi/src/.venv/bin/python3 in place of " in found.remedy
