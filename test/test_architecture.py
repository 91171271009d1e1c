"""docs/architecture.md names what is there: files, functions and classes, rooms, threads."""

import ast
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from picam_webrtc_test.imports import MODULES, PACKAGE

ROOT = PACKAGE.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
RULES = runpy.run_path(str(Path(__file__).with_name("test_import_rules.py")))
MAY_IMPORT, ROOMS, BASE = RULES["MAY_IMPORT"], RULES["ROOMS"], RULES["GROUND_FLOOR"]

PYTHONS_THREADS = {"MainThread", "asyncio_0"}
"""Named by threading and by asyncio, for its default executor."""
FOREIGN = {"Image", "RTCRtpSender", "MainThread"}
"""Classes of other libraries that the page speaks of, and a thread that looks like one."""
OF_C = {"memcpy", "memmove"}
WITHOUT_FRAMES = {"process", "recording", "launch"}
"""Rooms through which no frame passes on its way to a viewer."""
QUESTIONS = {
    "a key frame is asked for": "streaming/fanout/viewer.py",
    "REMB is read": "streaming/session/direct_sender.py",
    "a token is checked": "web/auth.py",
    "a recording is closed": "ros/recording/record.py",
    "a camera is reopened": "camera/capture.py",
    "a label is chosen for a class number": "inference/labels.py",
}
"""What somebody new asks first, and where it is."""
FILE = re.compile(r"[\w./-]+(?:\.(?:py|js|md)|/)")
NAME = re.compile(r"(?:[A-Z]\w*(?:\.\w+)?|_?[a-z]\w*)(?:\(\))?")


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def files_of(text: str) -> list[str]:
    return [one for one in in_code(text) if FILE.fullmatch(one) and one != "~/"]


def is_name(text: str) -> bool:
    """Of a class, a constant, or by its () of a function."""
    looks_so = NAME.fullmatch(text) is not None and text not in FOREIGN
    return looks_so and (text.endswith("()") or text[0].isupper())


def names_of(text: str) -> list[str]:
    return [one.removesuffix("()") for one in in_code(text) if is_name(one)]


def found(name: str) -> Path | None:
    """Where a file or folder of the page is."""
    return next((base / name for base in (PACKAGE, ROOT) if (base / name).exists()), None)


@cache
def defined_in(module: Path) -> set[str]:
    """Functions, classes, `Class.method` and constants of a module."""
    names = set[str]()
    for node in ast.parse(module.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name, body=body):
                methods = {one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
                names |= {name, *methods, *(f"{name}.{method}" for method in methods)}
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def table(*header: str) -> list[list[str]]:
    """The cells of the page's table that begins with these columns, row by row."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith("| " + " | ".join(header) + " |"):
            next(lines)
            return list(_rows(lines))
    raise AssertionError(f"no table {header} in docs/architecture.md")


def _rows(lines: Iterator[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and ".py`" in line]


@pytest.mark.parametrize("name", sorted({*files_of(PROSE)}))
def test_every_file_and_folder_is_there(name: str) -> None:
    assert found(name) is not None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_what_a_row_names_is_in_one_of_its_files(row: str) -> None:
    modules = [found(name) for name in files_of(row) if name.endswith(".py")]
    defined = {name for module in modules if module is not None for name in defined_in(module)}

    assert [name for name in names_of(row) if name not in defined] == []


def test_every_function_class_and_constant_is_defined_somewhere() -> None:
    defined = {name for module in (*MODULES, *(ROOT / "test").glob("*.py")) for name in defined_in(module)}

    assert [name for name in names_of(PROSE) if name not in defined] == []


def test_every_other_word_in_code_is_one_of_the_package() -> None:
    source = "\n".join(module.read_text() for module in MODULES)
    words = {one for one in in_code(PROSE) if re.fullmatch(r"[a-z]\w+", one)} - PYTHONS_THREADS - OF_C

    assert [word for word in sorted(words) if not re.search(rf"\b{word}\b", source)] == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_page_says_where(question: str) -> None:
    answers = {cells[0]: files_of(cells[1]) for cells in table("what", "file", "in there")}

    assert answers[question] == [QUESTIONS[question]]


@cache
def started_threads() -> dict[str, str]:
    """The name of every thread that the package starts, and the file that does."""
    names = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="Thread") | ast.Name(id="Thread"), keywords=given):
                    name = next((one.value for one in given if one.arg == "name"), None)
                    assert isinstance(name, ast.Constant), f"{module}:{node.lineno}: give the thread a name"
                    names[str(name.value)] = module.relative_to(PACKAGE).as_posix()
    return names


def test_the_threads_are_those_that_the_package_starts() -> None:
    rows = {in_code(cells[0])[0]: cells for cells in table("thread", "how many")}

    assert {*rows} == {*started_threads(), *PYTHONS_THREADS}
    assert {name: files_of(rows[name][2]) for name in started_threads()} == {
        name: [module] for name, module in started_threads().items()
    }


def test_the_drawing_has_the_threads_that_the_package_starts() -> None:
    drawing = PAGE.partition("```mermaid")[2].partition("```")[0]

    assert {*re.findall(r"thread ([\w-]+)", drawing)} == {*started_threads(), "MainThread"}


@pytest.mark.parametrize("folder", sorted(ROOMS))
def test_the_rooms_are_those_of_the_import_rules_in_their_order(folder: str) -> None:
    rows = [{Path(room).stem for room in files_of(cells[1])} for cells in table("row", f"rooms of `{folder}/`")]

    assert rows == [floor - {"__init__"} for floor in ROOMS[folder] if floor != {"__init__"}]


@pytest.mark.parametrize("folder", sorted(ROOMS))
def test_every_room_with_files_is_in_the_drawing(folder: str) -> None:
    drawing = PAGE.partition("```mermaid")[2].partition("```")[0]
    rooms = {room for floor in ROOMS[folder] for room in floor if (PACKAGE / folder / room).is_dir()}

    assert {room for room in rooms - WITHOUT_FRAMES if f"{folder}/{room}/" not in drawing} == set()


def test_the_parts_may_import_what_the_import_rules_say() -> None:
    rows = {in_code(part)[0].strip("/"): allowed for part, _, allowed in table("part", "what it is")}
    said = {
        part: {part, *(one.strip("/") for one in in_code(allowed)), *(BASE if "base" in allowed else ())}
        for part, allowed in rows.items()
    }
    rules = {part: {part, *allowed} for part, allowed in MAY_IMPORT.items() if part not in BASE and "__" not in part}

    assert said == rules


def test_the_base_is_that_of_the_import_rules() -> None:
    paragraph = PAGE.partition("The base is what all else may import")[2].partition("\n\n")[0]

    assert {*in_code(paragraph)} == BASE


def test_the_sums_of_the_copies_are_right() -> None:
    rows = [[int(cell.replace(",", "")) for cell in cells[1:]] for cells in table("where", "one process [bytes]")]
    *steps, sums = rows

    assert [sum(column) for column in zip(*steps, strict=True)] == sums
