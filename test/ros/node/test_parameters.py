"""A settings class becomes ROS parameters: described, ranged, checked before a change and applied after it."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from rclpy.parameter import Parameter

from picam_webrtc.declaration import Param, Settings
from picam_webrtc.errors import ModelError, SettingError
from picam_webrtc.ros.node.parameters import NodeParameters
from picam_webrtc.settings import CameraSettings, InferenceSettings, WebRtcSettings
from picam_webrtc_test.ros.support import running_node


@dataclass(frozen=True, slots=True)
class Toy(Settings):
    count: Annotated[int, Param("how many", 0, 10)] = 3
    rate: Annotated[float, Param("how fast [Hz]", 0.5)] = 1.0
    mode: Annotated[str, Param("which way", choices=("up", "down"))] = "up"
    names: Annotated[tuple[str, ...], Param("who")] = ("ada", "bob")
    fixed: Annotated[bool, Param("for good", read_only=True)] = False


@pytest.mark.parametrize("settings", [CameraSettings, InferenceSettings, WebRtcSettings])
def test_every_parameter_of_a_node_is_declared_with_description_and_range(settings: type[Settings]) -> None:
    with running_node("declared") as (_, node):
        assert NodeParameters(node, settings).settings == settings()
        for declaration in settings.declarations():
            described = node.describe_parameter(declaration.name)
            assert described.description == declaration.param.description
            assert described.read_only == declaration.param.read_only
            ranges = len(described.integer_range) + len(described.floating_point_range)
            assert ranges == (declaration.param.minimum is not None or declaration.param.maximum is not None)


def test_values_of_the_command_line_make_the_settings() -> None:
    with running_node("toy", "-p", "count:=7", "-p", "names:=[eve]", "-p", "fixed:=true") as (_, node):
        assert NodeParameters(node, Toy).settings == Toy(count=7, names=("eve",), fixed=True)


def test_an_integer_on_the_command_line_is_a_good_float() -> None:
    with running_node("toy", "-p", "rate:=15") as (_, node):
        assert NodeParameters(node, Toy).settings.rate == 15.0
        assert node.get_parameter("rate").type_ == Parameter.Type.DOUBLE


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("count:=11", "parameter 'count' = 11: must be from 0 to 10"),
        ("count:=many", "parameter 'count' = 'many': must be of type int"),
        ("rate:=0.1", "parameter 'rate' = 0.1: must be at least 0.5"),
        ("mode:=sideways", "parameter 'mode' = 'sideways': must be one of up, down"),
    ],
)
def test_a_bad_value_on_the_command_line_is_refused_in_one_line(given: str, complaint: str) -> None:
    with running_node("toy", "-p", given) as (_, node), pytest.raises(SettingError) as refused:
        NodeParameters(node, Toy)

    assert str(refused.value) == complaint


def test_a_change_is_applied_as_one_new_settings_instance() -> None:
    with running_node("toy") as (_, node):
        parameters = NodeParameters(node, Toy)
        applied: list[Toy] = []
        parameters.apply = applied.append

        results = node.set_parameters([Parameter("count", value=5)])

        assert results[0].successful
        assert applied == [Toy(count=5)]
        assert parameters.settings == Toy(count=5)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mode", "sideways", "must be one of up, down"),
        ("count", 99, "out of range"),
        ("fixed", True, "read-only"),
    ],
)
def test_a_bad_change_is_refused_with_the_reason_and_nothing_is_applied(name: str, value: object, reason: str) -> None:
    with running_node("toy") as (_, node):
        parameters = NodeParameters(node, Toy)
        applied: list[Toy] = []
        parameters.apply = applied.append

        result = node.set_parameters([Parameter(name, value=value)])[0]

        assert not result.successful
        assert reason in result.reason
        assert applied == []
        assert parameters.settings == Toy()


def test_the_node_may_refuse_a_change_that_is_well_formed() -> None:
    def refuse(changed: Toy) -> None:
        raise ModelError(f"no model for {changed.mode}")

    with running_node("toy") as (_, node):
        parameters = NodeParameters(node, Toy)
        parameters.check = refuse

        result = node.set_parameters([Parameter("mode", value="down")])[0]

        assert not result.successful
        assert result.reason == "no model for down"
