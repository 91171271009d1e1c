"""From a settings class to ROS parameters: descriptors, validation before a change, a new instance after it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from picam_webrtc.declaration import Declaration, ParameterValue, Settings
from picam_webrtc.errors import PicamWebrtcError
from picam_webrtc.ros.process.logs import speaking_for

S = TypeVar("S", bound=Settings)

INT64_MAX = 2**63 - 1
FLOAT_MAX = 1.7976931348623157e308
CHOICES_PREFIX = "one of: "
"""How a descriptor's additional constraints begin where there is a choice: ROS has no field for choices."""
TYPE_PREFIX = "type: "
"""How they begin for a parameter that is not set: ROS knows the type of values only."""

PARAMETER_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple: Parameter.Type.STRING_ARRAY,
}


def descriptor(declaration: Declaration) -> ParameterDescriptor:
    param = declaration.param
    result = ParameterDescriptor(
        name=declaration.name,
        type=PARAMETER_TYPES[declaration.type].value,
        description=param.description,
        read_only=param.read_only,
        additional_constraints=CHOICES_PREFIX + ", ".join(param.choices) if param.choices else "",
    )
    if param.minimum is None and param.maximum is None:
        return result
    if declaration.type is int:
        low, high = _limits(declaration, -INT64_MAX, INT64_MAX)
        result.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=0)]
    else:
        low, high = _limits(declaration, -FLOAT_MAX, FLOAT_MAX)
        result.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)]
    return result


def _limits(declaration: Declaration, lowest: float, highest: float) -> tuple[float, float]:
    low, high = declaration.param.minimum, declaration.param.maximum
    return (lowest if low is None else low), (highest if high is None else high)


def declare(node: Node, declaration: Declaration) -> ParameterValue:
    """Declare one parameter and return its initial value, from the command line or a file where given.

    Raises SettingError when that value is of the wrong type or out of range. The descriptor is set in
    a second step, because rclpy's own refusal names neither the range nor a remedy.
    """
    default = list(declaration.default) if isinstance(declaration.default, tuple) else declaration.default
    node.declare_parameter(declaration.name, default, ParameterDescriptor(dynamic_typing=True))
    given = node.get_parameter(declaration.name).value
    value = declaration.check(list(given) if declaration.type is tuple and given is not None else given)
    ros_value = list(value) if isinstance(value, tuple) else value
    node.set_parameters([Parameter(declaration.name, PARAMETER_TYPES[declaration.type], ros_value)])
    node.set_descriptor(declaration.name, descriptor(declaration))
    return value


class NodeParameters(Generic[S]):
    """A node's parameters as one frozen settings instance, replaced as a whole when they change.

    `check` may refuse a change by raising PicamWebrtcError; `apply` is called with the new settings
    after a change went through. Both run on the thread that spins the node.
    """

    def __init__(self, node: Node, settings: type[S]) -> None:
        self._node = node
        self._declared = {declaration.name: declaration for declaration in settings.declarations()}
        values: dict[str, object] = {name: declare(node, one) for name, one in self._declared.items()}
        self.settings: S = settings.from_values(values)
        self.check: Callable[[S], object] = _nothing
        self.apply: Callable[[S], object] = _nothing
        node.add_on_set_parameters_callback(self._on_set)
        node.add_post_set_parameters_callback(self._post_set)

    def detach(self) -> None:
        """Nobody checks or applies changes any more; they are kept all the same."""
        self.check = self.apply = _nothing

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            changed = self._changed(parameters)
            if changed != self.settings:
                with speaking_for(self._node):
                    self.check(changed)
        except PicamWebrtcError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _post_set(self, parameters: Sequence[Parameter]) -> None:
        changed = self._changed(parameters)
        if changed != self.settings:
            self.settings = changed
            with speaking_for(self._node):
                self.apply(changed)

    def _changed(self, parameters: Sequence[Parameter]) -> S:
        ours = {p.name: p.value for p in parameters if p.name in self._declared}
        return replace(self.settings, **{name: self._declared[name].check(value) for name, value in ours.items()})


def _nothing(_: object) -> None:
    """There is nobody yet, or no longer, whom a change concerns."""
