"""Small and large damage to texts and packets, the same for the same seed."""

from collections.abc import Callable, Sequence
from random import Random

NUMBERS = (b"0", b"1", b"-1", b"65535", b"65536", b"4294967296", b"99999999999999999999", b"1e9", b"0x10", b"\xff")
TOKENS = (
    *(b"", b" ", b"\r\n", b"\r", b"\n", b"\x00", b":", b"=", b"/", b";", b"%0d%0a", b"\xe2\x80\xa8", b"\xff\xfe"),
    *(b"a=", b"m=video 0 RTP/AVP 0\r\n", b"a=mid:\r\n", b"a=group:BUNDLE", b"a=setup:active\r\n", b"a=sendonly\r\n"),
    *(b"<script>alert(1)</script>", b"${jndi:ldap://x}", b"../../etc/passwd", b"%s%s%n", b"\x1b[31m"),
)
LONGEST = 70_000
"""A little more than the server reads."""


class Mutator:
    """Makes variations of `seeds`; `separator` is what their parts end with."""

    def __init__(self, random: Random, seeds: Sequence[bytes], separator: bytes) -> None:
        self._random = random
        self._seeds = seeds
        self._separator = separator
        self._ways: tuple[Callable[[bytes], bytes], ...] = (
            self._flip, self._cut, self._insert, self._repeat, self._number,
            self._drop_part, self._double_part, self._swap_parts, self._splice, self._grow,
        )  # fmt: skip

    def __call__(self) -> bytes:
        data = self._random.choice(self._seeds)
        for _ in range(min(8, 1 + int(self._random.expovariate(0.7)))):
            data = self._random.choice(self._ways)(data)
        return data[:LONGEST]

    def _at(self, data: bytes) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.randint(1, 4)):
            if changed:
                changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def _cut(self, data: bytes) -> bytes:
        first, last = sorted((self._at(data), self._at(data)))
        return data[:first] if self._random.random() < 0.3 else data[:first] + data[min(last, first + 40) :]

    def _insert(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.choice(TOKENS) + data[at:]

    def _repeat(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + data[at : at + 8] * self._random.choice((2, 10, 500)) + data[at:]

    def _number(self, data: bytes) -> bytes:
        places = [at for at in range(len(data)) if data[at : at + 1].isdigit()]
        if not places:
            return data
        first = last = self._random.choice(places)
        while data[last : last + 1].isdigit():
            last += 1
        return data[:first] + self._random.choice(NUMBERS) + data[last:]

    def _drop_part(self, data: bytes) -> bytes:
        parts = data.split(self._separator)
        del parts[self._random.randrange(len(parts))]
        return self._separator.join(parts)

    def _double_part(self, data: bytes) -> bytes:
        parts = data.split(self._separator)
        at = self._random.randrange(len(parts))
        return self._separator.join([*parts[:at], *[parts[at]] * self._random.choice((2, 2, 50)), *parts[at:]])

    def _swap_parts(self, data: bytes) -> bytes:
        parts = data.split(self._separator)
        one, other = self._random.randrange(len(parts)), self._random.randrange(len(parts))
        parts[one], parts[other] = parts[other], parts[one]
        return self._separator.join(parts)

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._seeds)
        return data[: self._at(data)] + other[self._at(other) :]

    def _grow(self, data: bytes) -> bytes:
        return data + bytes([self._random.randrange(256)]) * self._random.choice((1, 100, 5000))
