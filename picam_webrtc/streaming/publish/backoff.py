"""How long to wait before the next try."""

import random
from collections.abc import Callable

FIRST_S = 0.5
LONGEST_S = 4.0
"""For a server that is away: short, so that the picture is back within seconds of it."""
LONGEST_REFUSED_S = 60.0
"""For a server that says no: a person has to put that right first."""


class BackOff:
    """Doubles from try to try. Jitter keeps a fleet from coming back in step when its server does."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._uniform = uniform
        self._next_s = FIRST_S

    def reset(self) -> None:
        self._next_s = FIRST_S

    def delay_s(self, *, lasting: bool = False, at_least_s: float = 0.0) -> float:
        """The next wait: at most `LONGEST_S`, or `LONGEST_REFUSED_S` for a `lasting` fault, but `at_least_s`."""
        delay_s = min(self._next_s, LONGEST_REFUSED_S if lasting else LONGEST_S)
        self._next_s = min(2 * self._next_s, LONGEST_REFUSED_S)
        if at_least_s > delay_s:
            return at_least_s * self._uniform(1.0, 1.25)
        return delay_s * self._uniform(0.5, 1.0)
