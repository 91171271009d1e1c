"""What goes wrong with every frame is said once, and not at 30 Hz."""

from collections.abc import Callable


class Complaint:
    """Hands what is wrong to `say` when it is not what was wrong the last time. For one thread."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said = ""

    def __call__(self, error: Exception) -> None:
        text = str(error)
        if text != self._said:
            self._said = text
            self._say(text)
