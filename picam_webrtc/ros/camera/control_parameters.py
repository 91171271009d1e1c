"""Every control of a camera as a ROS parameter, checked before the camera sees it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from picam_webrtc.camera.control_set import ControlSet, Plan
from picam_webrtc.camera.controls import Control, ControlValue, Kind
from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.node.parameters import TYPE_PREFIX, Meanings
from picam_webrtc.ros.process.overrides import NOTHING, NULLS, Overrides, entries_of

PARAMETER_TYPES = {
    Kind.BOOL: Parameter.Type.BOOL,
    Kind.INT: Parameter.Type.INTEGER,
    Kind.FLOAT: Parameter.Type.DOUBLE,
    Kind.INTS: Parameter.Type.INTEGER_ARRAY,
    Kind.RECTANGLES: Parameter.Type.INTEGER_ARRAY,
    Kind.FLOATS: Parameter.Type.DOUBLE_ARRAY,
}
NOTHING_TEXTS = (*NULLS, "None")
"""What the ros2 command line sends for nothing; the last is what `ros2 param load` makes of null."""


class ControlParameters:
    """Declares `controls`, hands changes to `apply`, and keeps the parameters true where one changes another.

    A parameter whose value nobody knows, because libcamera does not tell and nobody has set it, is not set; one that
    is deleted is left to the camera again.
    """

    def __init__(
        self,
        node: Node,
        apply: Callable[[Plan], object],
        controls: ControlSet,
        meanings: Meanings,
        overrides: Overrides = NOTHING,
    ) -> None:
        """Raises SettingError when a value given at the start is wrong."""
        self._node = node
        self._apply = apply
        self._controls = controls
        self._showing = False
        self._overrides = overrides.of(str(node.get_fully_qualified_name()))
        given = dict(pair for control in controls.controls.values() for pair in self._declare(control))
        self._change(given)
        for control in controls.controls.values():
            meanings.add(control.name, partial(_set_by_user, control))
        node.add_on_set_parameters_callback(self._on_set)
        node.add_post_set_parameters_callback(self._post_set)

    def _declare(self, control: Control) -> Iterator[tuple[str, object]]:
        """Declare one; its name with the value given at the start, if one was."""
        node = self._node
        override = self._overrides.get(control.name)
        nothing = override is not None and override.written is None  # `ros2 param dump` writes null
        node.declare_parameter(control.name, None, ParameterDescriptor(dynamic_typing=True), nothing)
        given = node.get_parameter(control.name).value
        if override is not None and override.written == ():
            given = ()  # rcl takes an empty list for nothing
        value = self._controls.values[control.name] if given is None else control.check(given)
        if value is not None:
            node.set_parameters([_parameter(control, value)])
        node.set_descriptor(control.name, descriptor(control))
        if given is not None:
            yield control.name, value

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            if not self._showing:
                self._controls.plan(self._ours(parameters))
        except PicamWebrtcError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _post_set(self, parameters: Sequence[Parameter]) -> None:
        if not self._showing:
            self._change(self._ours(parameters))

    def _change(self, changes: Mapping[str, object]) -> None:
        plan = self._controls.plan(changes)
        if not plan.values:
            return
        self._apply(plan)
        for note in plan.notes:
            self._node.get_logger().info(note)
        stale = [name for name, value in plan.values.items() if value is None or value != _given(changes, name)]
        with self._own_change():
            for name in stale:
                self._show(self._controls.controls[name], plan.values[name])

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        """What follows from a change is shown, and not a change of its own."""
        self._showing = True
        try:
            yield
        finally:
            self._showing = False

    def _show(self, control: Control, value: ControlValue) -> None:
        node, name = self._node, control.name
        if value is None and node.has_parameter(name):
            node.set_parameters([Parameter(name)])  # which rclpy takes for its end
        if not node.has_parameter(name):
            node.declare_parameter(name, None, ParameterDescriptor(dynamic_typing=True), ignore_override=True)
            node.set_descriptor(name, descriptor(control))
        if value is not None:
            node.set_parameters([_parameter(control, value)])

    def _ours(self, parameters: Sequence[Parameter]) -> dict[str, object]:
        return {p.name: p.value for p in parameters if p.name in self._controls.controls}


def _set_by_user(control: Control, parameter: Parameter) -> Parameter:
    """`parameter` in the control's type, deleted for nothing. Raises SettingError."""
    value = parameter.value
    if value in NOTHING_TEXTS:
        return Parameter(control.name)
    if control.is_array and isinstance(value, str):
        value, _ = entries_of(value) or (value, None)
    return _parameter(control, control.check(value))


def _given(changes: Mapping[str, object], name: str) -> object:
    value = changes.get(name)
    return value if not isinstance(value, Sequence) else tuple(value)


def _ros_value(value: ControlValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _parameter(control: Control, value: ControlValue) -> Parameter:
    return Parameter(control.name, PARAMETER_TYPES[control.kind], _ros_value(value))


def descriptor(control: Control) -> ParameterDescriptor:
    unset = control.initial is None
    result = ParameterDescriptor(
        name=control.name,
        type=PARAMETER_TYPES[control.kind].value,
        description=control.description,
        # An empty list has no type of its own, nor has what is not set.
        dynamic_typing=control.is_array or unset,
        additional_constraints=f"{TYPE_PREFIX}{control.kind.value}" if unset else "",
    )
    low, high = control.lowest, control.maximum
    if control.is_array and low is not None:
        result.additional_constraints = f"{low} to {high}"
    elif control.kind is Kind.INT:
        result.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    elif control.kind is Kind.FLOAT and low is not None and high is not None:
        result.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)]
    return result
