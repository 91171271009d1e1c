"""Every control of a camera as a ROS parameter, checked before the camera sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.controls import Control, ControlValue, Kind
from picam_webrtc.errors import PicamWebrtcError

PARAMETER_TYPES = {
    Kind.BOOL: Parameter.Type.BOOL,
    Kind.INT: Parameter.Type.INTEGER,
    Kind.FLOAT: Parameter.Type.DOUBLE,
    Kind.INTS: Parameter.Type.INTEGER_ARRAY,
    Kind.RECTANGLES: Parameter.Type.INTEGER_ARRAY,
    Kind.FLOATS: Parameter.Type.DOUBLE_ARRAY,
}


class ControlParameters:
    """Declares `controls`, hands changes to `apply`, and keeps the parameters true where one changes another."""

    def __init__(self, node: Node, apply: Callable[[Plan], None], controls: ControlSet) -> None:
        """Raises SettingError when a value given at the start is wrong."""
        self._node = node
        self._apply = apply
        self._controls = controls
        given = {name: self._declare(control) for name, control in controls.controls.items()}
        self._change(given)
        node.add_on_set_parameters_callback(self._on_set)
        node.add_post_set_parameters_callback(self._post_set)

    def _declare(self, control: Control) -> object:
        """Declare one and return the value given at the start, or its initial one."""
        node = self._node
        node.declare_parameter(control.name, _ros_value(control.initial), ParameterDescriptor(dynamic_typing=True))
        given = node.get_parameter(control.name).value
        value = control.check(() if given is None else given)
        node.set_parameters([_parameter(control, value)])
        node.set_descriptor(control.name, descriptor(control))
        return value

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            self._controls.plan(self._ours(parameters))
        except PicamWebrtcError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _post_set(self, parameters: Sequence[Parameter]) -> None:
        self._change(self._ours(parameters))

    def _change(self, changes: Mapping[str, object]) -> None:
        plan = self._controls.plan(changes)
        if not plan.values:
            return
        self._apply(plan)
        for note in plan.notes:
            self._node.get_logger().info(note)
        stale = {name: value for name, value in plan.values.items() if value != _given(changes, name)}
        if stale:
            self._node.set_parameters([_parameter(self._controls.controls[name], stale[name]) for name in stale])

    def _ours(self, parameters: Sequence[Parameter]) -> dict[str, object]:
        return {p.name: () if p.value is None else p.value for p in parameters if p.name in self._controls.controls}


def _given(changes: Mapping[str, object], name: str) -> object:
    value = changes.get(name)
    return value if not isinstance(value, Sequence) else tuple(value)


def _ros_value(value: ControlValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _parameter(control: Control, value: ControlValue) -> Parameter:
    return Parameter(control.name, PARAMETER_TYPES[control.kind], _ros_value(value))


def descriptor(control: Control) -> ParameterDescriptor:
    result = ParameterDescriptor(
        name=control.name,
        type=PARAMETER_TYPES[control.kind].value,
        description=control.description,
        dynamic_typing=control.is_array,  # an empty list has no type of its own
    )
    low, high = control.lowest, control.maximum
    if control.is_array and low is not None:
        result.additional_constraints = f"{low} to {high}"
    elif control.kind is Kind.INT:
        result.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    elif control.kind is Kind.FLOAT and low is not None and high is not None:
        result.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)]
    return result
