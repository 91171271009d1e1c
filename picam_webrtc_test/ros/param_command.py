"""`ros2 param dump` and `ros2 param set` by the services that they call, as ros2param's dump.py and set.py do it."""

from dataclasses import dataclass
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter, SetParametersResult
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import PARAMETER_SEPARATOR_STRING, get_parameter_value, parameter_value_to_python

from picam_webrtc_test.ros.support import wait_until

SERVICE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class ParamCommand:
    """Asks by the services of `node`, which spins."""

    node: Node

    def dump(self, target: str) -> str:
        names = sorted(self._call(ListParameters, f"{target}/list_parameters", ListParameters.Request()).result.names)
        answer = self._call(GetParameters, f"{target}/get_parameters", GetParameters.Request(names=names))
        tree: dict[str, Any] = {}
        for name, value in zip(names, answer.values, strict=True):
            _insert(tree, name, parameter_value_to_python(value))
        return yaml.dump({target: {"ros__parameters": tree}}, default_flow_style=False)

    def set(self, target: str, name: str, text: str) -> SetParametersResult:
        request = SetParameters.Request(parameters=[Parameter(name=name, value=get_parameter_value(text))])
        (result,) = self._call(SetParameters, f"{target}/set_parameters", request).results
        return result

    def get(self, target: str, name: str) -> Any:
        (value,) = self._call(GetParameters, f"{target}/get_parameters", GetParameters.Request(names=[name])).values
        return parameter_value_to_python(value)

    def _call(self, service_type: type[Any], name: str, request: Any) -> Any:
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(SERVICE_TIMEOUT_S), name
        future = client.call_async(request)
        wait_until(future.done, f"an answer from {name}")
        self.node.destroy_client(client)
        return future.result()


def _insert(tree: dict[str, Any], name: str, value: Any) -> None:
    first, separator, rest = name.partition(PARAMETER_SEPARATOR_STRING)
    if separator:
        _insert(tree.setdefault(first, {}), rest, value)
    else:
        tree[name] = value
