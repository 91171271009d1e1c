"""From a settings class to ROS parameters: descriptors, validation before a change, a new instance after it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from picam_webrtc.declaration import Declaration, ParameterValue, Settings
from picam_webrtc.errors import PicamWebrtcError, SettingError
from picam_webrtc.meaning import meant
from picam_webrtc.paths import with_paths
from picam_webrtc.ros.process.logs import speaking_for
from picam_webrtc.ros.process.overrides import NOTHING, NULLS, Override, Overrides, entries_of
from picam_webrtc.ros.process.packages import package_share

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


def declare(node: Node, declaration: Declaration, overrides: Overrides = NOTHING) -> ParameterValue:
    """Declare one parameter and return its initial value, from the command line or a file where given.

    Raises SettingError when that value is of the wrong type or out of range. The descriptor is set in
    a second step, because rclpy's own refusal names neither the range nor a remedy.
    """
    default = _ros_value(declaration.default)
    node.declare_parameter(declaration.name, default, ParameterDescriptor(dynamic_typing=True))
    value = _initial(declaration, node.get_parameter(declaration.name).value, overrides.of(_full_name(node)))
    node.set_parameters([_parameter(declaration, value)])
    node.set_descriptor(declaration.name, descriptor(declaration))
    return value


def _initial(declaration: Declaration, given: object, overrides: Mapping[str, Override]) -> ParameterValue:
    override = overrides.get(declaration.name)
    written = override.written if override else None
    if override and written is None and given in NULLS:
        return declaration.default
    return declaration.check(meant(declaration, given, written))


def _parameter(declaration: Declaration, value: ParameterValue) -> Parameter:
    return Parameter(declaration.name, PARAMETER_TYPES[declaration.type], _ros_value(value))


def _ros_value(value: ParameterValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


class Meanings:
    """Makes of what the ros2 command line sends what is meant by it, before rclpy looks at its type.

    One for a node: of several callbacks rclpy would take what each of them returns.
    """

    def __init__(self, node: Node) -> None:
        self._meant: dict[str, Callable[[Parameter], Parameter]] = {}
        node.add_pre_set_parameters_callback(self._before_set)

    def add(self, name: str, meant: Callable[[Parameter], Parameter]) -> None:
        """Have the parameter `name` read by `meant`. What raises SettingError stays as it is, to be refused."""
        self._meant[name] = meant

    def _before_set(self, parameters: Sequence[Parameter]) -> list[Parameter]:
        return [self._read(parameter) for parameter in parameters]

    def _read(self, parameter: Parameter) -> Parameter:
        if parameter.name not in self._meant or parameter.value is None:
            return parameter
        try:
            return self._meant[parameter.name](parameter)
        except SettingError:
            return parameter


def set_by_user(declaration: Declaration, parameter: Parameter) -> Parameter:
    """`parameter` in the declared type. Raises SettingError."""
    value, written = parameter.value, None
    if declaration.type is tuple and isinstance(value, str):
        value, written = entries_of(value) or (value, None)
    value = meant(declaration, value, written)
    if declaration.type is float and isinstance(value, float):
        return _parameter(declaration, value)  # unchecked, to be refused by its range and not by a type that will do
    return _parameter(declaration, declaration.check(value))


class NodeParameters(Generic[S]):
    """A node's parameters as one frozen settings instance, replaced as a whole when they change.

    Its paths are absolute; the ROS parameters keep them as they were written. `check` may refuse a change by raising
    PicamWebrtcError; `apply` is called with the new settings after a change went through. Both run on the thread that
    spins the node.
    """

    def __init__(self, node: Node, settings: type[S], overrides: Overrides = NOTHING) -> None:
        """Raises SettingError."""
        self._node = node
        self._declared = {declaration.name: declaration for declaration in settings.declarations()}
        values: dict[str, object] = {name: declare(node, one, overrides) for name, one in self._declared.items()}
        self._written: S = settings.from_values(values)
        self.settings: S = with_paths(self._written, package_share)
        self.check: Callable[[S], object] = _nothing
        self.apply: Callable[[S], object] = _nothing
        self.meanings = Meanings(node)
        for name, declaration in self._declared.items():
            self.meanings.add(name, partial(set_by_user, declaration))
        node.add_on_set_parameters_callback(self._on_set)
        node.add_post_set_parameters_callback(self._post_set)

    def detach(self) -> None:
        """Nobody checks or applies changes any more; they are kept all the same."""
        self.check = self.apply = _nothing

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            changed = with_paths(self._changed(parameters), package_share)
            if changed != self.settings:
                with speaking_for(self._node):
                    self.check(changed)
        except PicamWebrtcError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _post_set(self, parameters: Sequence[Parameter]) -> None:
        self._written = self._changed(parameters)
        changed = with_paths(self._written, package_share)
        if changed != self.settings:
            self.settings = changed
            with speaking_for(self._node):
                self.apply(changed)

    def _changed(self, parameters: Sequence[Parameter]) -> S:
        ours = {p.name: p.value for p in parameters if p.name in self._declared}
        return replace(self._written, **{name: self._declared[name].check(value) for name, value in ours.items()})


def _full_name(node: Node) -> str:
    return str(node.get_fully_qualified_name())


def _nothing(_: object) -> None:
    """There is nobody yet, or no longer, whom a change concerns."""
