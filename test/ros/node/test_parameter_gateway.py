"""Operators' parameters: seen with their ranges and changed through the services of a real node."""

import asyncio

import pytest

from picam_webrtc.camera.control_set import ControlSet
from picam_webrtc.camera.controls import controls_of
from picam_webrtc.errors import ParameterError
from picam_webrtc.ros.camera.control_parameters import ControlParameters
from picam_webrtc.ros.node.parameter_gateway import RosParameterGateway
from picam_webrtc.ros.node.parameters import Meanings, NodeParameters
from picam_webrtc.settings import InferenceSettings
from picam_webrtc.web.parameters import ParameterDescription
from picam_webrtc_test.camera.libcamera_tables import IMX708_CONTROLS
from picam_webrtc_test.ros.support import running_node


async def test_changeable_parameters_are_described_with_value_range_and_choices() -> None:
    with running_node("described") as (runtime, node):
        NodeParameters(node, InferenceSettings)
        runtime.spin()
        (described,) = await RosParameterGateway(node, ["described", "absent"]).describe()

    parameters = {parameter.name: parameter for parameter in described.parameters}
    declared = {one.name: one for one in InferenceSettings.declarations()}
    assert described.name == "described"
    assert parameters.keys() == {name for name, one in declared.items() if not one.param.read_only}
    description = declared["threshold"].param.description
    assert parameters["threshold"] == ParameterDescription("threshold", "float", 0.5, description, 0.0, 1.0)
    assert parameters["resize"].choices == ("auto", "stretch", "letterbox")
    assert parameters["input_std"].minimum == 0.0
    assert parameters["input_std"].maximum is None
    assert parameters["class_filter"].value == ()


async def test_a_change_reaches_the_node_in_its_own_type() -> None:
    with running_node("changed") as (runtime, node):
        parameters = NodeParameters(node, InferenceSettings)
        runtime.spin()
        gateway = RosParameterGateway(node, ["changed"])
        await gateway.set("changed", {"threshold": 1, "class_filter": ["cat"]})

    assert (parameters.settings.threshold, parameters.settings.class_filter) == (1.0, ("cat",))


async def test_a_control_that_is_not_set_is_described_with_its_type_and_can_be_set() -> None:
    controls = ControlSet(controls_of(IMX708_CONTROLS, {}))
    with running_node("camera") as (runtime, node):
        ControlParameters(node, controls.commit, controls, Meanings(node))
        runtime.spin()
        gateway = RosParameterGateway(node, ["camera"])
        (described,) = await gateway.describe()
        await gateway.set("camera", {"AwbEnable": False, "ColourTemperature": 4000})

    found = {one.name: (one.type, one.value, one.minimum, one.maximum) for one in described.parameters}
    assert found["AwbEnable"] == ("bool", None, None, None)
    assert found["ColourTemperature"] == ("int", None, 100, 100000)
    assert found["AfTrigger"] == ("int", None, 0, 1)
    assert (controls.values["AwbEnable"], controls.values["ColourTemperature"]) == (False, 4000)


@pytest.mark.parametrize(
    ("node_name", "values", "reason"),
    [
        ("refusing", {"threshold": 1.5}, "threshold"),
        ("refusing", {"threshold": "high"}, "must be of type float"),
        ("refusing", {"no_such": 1}, "no parameter 'no_such'"),
        ("refusing", {"transform": "none", "threshold": 0.7}, "transform"),
        ("stranger", {"threshold": 0.7}, "node 'stranger' is not there"),
    ],
)
async def test_a_refused_change_says_why_and_changes_nothing(
    node_name: str, values: dict[str, object], reason: str
) -> None:
    with running_node("refusing") as (runtime, node):
        parameters = NodeParameters(node, InferenceSettings)
        runtime.spin()
        gateway = RosParameterGateway(node, ["refusing"])
        with pytest.raises(ParameterError, match=reason):
            await asyncio.wait_for(gateway.set(node_name, values), 5)

    assert parameters.settings == InferenceSettings()
