"""How often an address may ask, and how long a wrong token waits."""

import pytest

from picam_webrtc.web.limits import AddressBook, Failures, RateLimit, address_key


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_a_whole_ipv6_network_counts_as_one_address(address: str, key: str) -> None:
    assert address_key(address) == key


def test_a_burst_is_granted_and_then_the_rate() -> None:
    clock = FakeClock()
    limit = RateLimit(per_second=2.0, burst=3.0, clock=clock)

    assert [limit.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.now = 0.5
    assert [limit.wait_s("a") for _ in range(2)] == [0.0, 0.5]


def test_addresses_do_not_share_a_rate() -> None:
    limit = RateLimit(per_second=1.0, burst=1.0, clock=FakeClock())

    assert [limit.wait_s(address) for address in "aabb"] == [0.0, 1.0, 0.0, 1.0]


def test_the_address_unheard_of_for_longest_is_forgotten() -> None:
    book = AddressBook[int](capacity=2)
    for address in ("a", "b", "a", "c"):
        book.set(address, 1)

    assert [book.get(address, 0) for address in "abc"] == [1, 0, 1]


def test_each_failure_waits_twice_as_long_up_to_a_bound() -> None:
    failures = Failures(FakeClock())

    assert [failures.add("a")[1] for _ in range(6)] == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]
    assert failures.add("b") == (1, 0.25)
    assert failures.total == 7


def test_a_minute_without_failure_forgives() -> None:
    clock = FakeClock()
    failures = Failures(clock)
    failures.add("a")
    clock.now = 61.0

    assert failures.add("a") == (1, 0.25)
