"""What YAML made of a text, of a list and of a number is taken for what was meant."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from picam_webrtc.declaration import Declaration, Param, Settings
from picam_webrtc.errors import SettingError
from picam_webrtc.meaning import meant


@dataclass(frozen=True, slots=True)
class Toy(Settings):
    token: Annotated[str, Param("a secret")] = ""
    tls: Annotated[str, Param("which", choices=("off", "auto"))] = "off"
    hdr: Annotated[str, Param("which", choices=("unchanged", "off", "on"))] = "unchanged"
    rate: Annotated[float, Param("how fast [Hz]")] = 1.0
    names: Annotated[tuple[str, ...], Param("who")] = ("ada",)
    fixed: Annotated[bool, Param("for good")] = False


def declared(name: str) -> Declaration:
    return next(one for one in Toy.declarations() if one.name == name)


@pytest.mark.parametrize(
    ("value", "written", "text"),
    [
        (5349, "012345", "012345"),
        (100000.0, "1e5", "1e5"),
        (False, "off", "off"),
        (True, "Yes", "Yes"),
        (31, "0x1F", "0x1F"),
    ],
)
def test_a_text_is_what_was_written(value: object, written: str, text: str) -> None:
    assert meant(declared("token"), value, written) == text


@pytest.mark.parametrize("value", [12345, 1e5, True])
def test_a_text_that_nobody_can_tell_any_more_is_asked_for_in_quotes(value: object) -> None:
    with pytest.raises(SettingError, match=rf"'token' = {value}: must be a text: in YAML write it in quotes"):
        meant(declared("token"), value)


@pytest.mark.parametrize(
    ("name", "value", "written", "choice"),
    [
        ("tls", False, "off", "off"),
        ("tls", False, "no", "off"),
        ("tls", False, None, "off"),
        ("hdr", True, "on", "on"),
        ("hdr", True, "true", "on"),
        ("hdr", True, None, "on"),
    ],
)
def test_a_bool_is_the_choice_that_says_so(name: str, value: bool, written: str | None, choice: str) -> None:
    assert meant(declared(name), value, written) == choice


def test_a_bool_that_no_choice_says_is_what_was_written_if_that_is_known() -> None:
    assert meant(declared("tls"), True, "on") == "on"
    assert meant(declared("tls"), True) is True


@pytest.mark.parametrize(
    ("value", "written", "texts"),
    [
        (None, (), ()),
        ("", "", ()),
        ([], None, ()),
        ([""], ("",), ()),
        (["", "cat"], None, ("cat",)),
        ([0, 2], ("0", "2"), ("0", "2")),
        ([0, 2], None, ("0", "2")),
        ([8], ("010",), ("010",)),
        ([False, True], ("off", "on"), ("off", "on")),
        ([1.5], ("1.50",), ("1.50",)),
    ],
)
def test_a_list_of_texts(value: object, written: tuple[str, ...] | None, texts: tuple[str, ...]) -> None:
    assert meant(declared("names"), value, written) == texts


@pytest.mark.parametrize("value", [[1.5], [True]])
def test_entries_that_nobody_can_tell_are_asked_for_in_quotes(value: object) -> None:
    with pytest.raises(SettingError, match="write it in quotes"):
        meant(declared("names"), value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("token", "0"), ("names", "cat"), ("fixed", True), ("fixed", "true"), ("rate", True), ("rate", "1")],
)
def test_everything_else_is_left_to_the_declaration(name: str, value: object) -> None:
    assert meant(declared(name), value) is value


def test_a_whole_number_is_a_good_float() -> None:
    assert isinstance(meant(declared("rate"), 15), float)
