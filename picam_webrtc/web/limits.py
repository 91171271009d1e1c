"""How often an address may ask, and how long it waits after a wrong token. Pure: the clock is handed in."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

Clock = Callable[[], float]
V = TypeVar("V")

MAX_ADDRESSES = 4096
"""Addresses that are remembered; the one unheard of for longest is forgotten first."""

IPV6_NETWORK_BITS = 64
"""One household or host owns a whole /64 and may use a new address for every request."""


def address_key(address: str) -> str:
    """The address for which limits count: a /64 for IPv6, the IPv4 address where it is mapped into IPv6."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    network = int(parsed) >> (128 - IPV6_NETWORK_BITS)
    return f"{IPv6Address(network << (128 - IPV6_NETWORK_BITS))}/{IPV6_NETWORK_BITS}"


class AddressBook(Generic[V]):
    """A value for each of the `MAX_ADDRESSES` addresses heard of last."""

    def __init__(self, capacity: int = MAX_ADDRESSES) -> None:
        self._capacity = capacity
        self._values: OrderedDict[str, V] = OrderedDict()

    def get(self, address: str, default: V) -> V:
        return self._values.get(address, default)

    def set(self, address: str, value: V) -> None:
        self._values[address] = value
        self._values.move_to_end(address)
        while len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def discard(self, address: str) -> None:
        self._values.pop(address, None)

    def __len__(self) -> int:
        return len(self._values)


class RateLimit:
    """A token bucket for each address: `per_second` requests in the long run, `burst` at once."""

    def __init__(self, per_second: float, burst: float, clock: Clock) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets = AddressBook[tuple[float, float]]()

    def wait_s(self, address: str) -> float:
        """Take a token: 0.0, or how long until there is one [s]."""
        now = self._clock()
        tokens, then = self._buckets.get(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        granted = tokens >= 1.0
        self._buckets.set(address, (tokens - granted, now))
        return 0.0 if granted else (1.0 - tokens) / self._per_second


class Failures:
    """Wrong tokens of each address: every one doubles the wait, and a minute without one forgives all."""

    FIRST_DELAY_S = 0.25
    MAX_DELAY_S = 4.0
    FORGIVEN_AFTER_S = 60.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = AddressBook[tuple[int, float]]()
        self.total = 0

    def add(self, address: str) -> tuple[int, float]:
        """Note one more failure: how many there are now, and how long its answer is held back [s]."""
        now = self._clock()
        count, then = self._failures.get(address, (0, now))
        count = 1 if now - then > self.FORGIVEN_AFTER_S else count + 1
        self._failures.set(address, (count, now))
        self.total += 1
        doublings = min(count - 1, 16)
        return count, min(self.FIRST_DELAY_S * 2**doublings, self.MAX_DELAY_S)
