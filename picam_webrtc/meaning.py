"""What is meant by a value that YAML reads as something else: `off` or a number for a text, `[]` for a list."""

from collections.abc import Sequence

from picam_webrtc.declaration import Declaration
from picam_webrtc.errors import SettingError

Written = str | tuple[str, ...]
"""A value as it was written, before YAML read it: a text, or one for each entry of a list."""
WORDS = {False: ("off", "no", "false"), True: ("on", "yes", "true")}
"""What YAML takes for a bool, in the order in which one stands for another."""


def meant(declared: Declaration, value: object, written: Written | None = None) -> object:
    """What `value` means for that parameter; `written` is what YAML made it of, None where nobody knows.

    What means nothing else is returned as it is, for `Declaration.check` to judge. Raises SettingError for a number
    that stands for a text which cannot be told from it.
    """
    if declared.type is str:
        return _text(declared, value, written if isinstance(written, str) else None)
    if declared.type is tuple:
        return _texts(declared, value, written)
    if declared.type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _text(declared: Declaration, value: object, written: str | None) -> object:
    if not isinstance(value, bool | int | float):
        return value
    choices = declared.param.choices
    if isinstance(value, bool) and choices and written not in choices:
        return next((word for word in WORDS[value] if word in choices), value if written is None else written)
    if written is None:
        # 012 is 10 to YAML, and 1e5 is 100000.0.
        raise SettingError(declared.name, value, "must be a text: in YAML write it in quotes, as in '\"12\"'")
    return written


def _texts(declared: Declaration, value: object, written: Written | None) -> object:
    """An empty list has no type in YAML, and none of our lists means anything by an empty text."""
    if value is None or value == "":
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    texts: tuple[str | None, ...] = written if isinstance(written, tuple) else (None,) * len(value)
    entries = (_entry(declared, one, text) for one, text in zip(value, texts, strict=True))
    return tuple(one for one in entries if one != "")


def _entry(declared: Declaration, value: object, written: str | None) -> object:
    """A whole number is one's own number for what it counts, such as a class."""
    if written is None and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(declared, value, written)
