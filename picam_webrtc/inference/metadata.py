"""Metadata inside a .tflite file: normalisation, names of outputs, labels.

Two habits exist. TensorFlow's stores a flatbuffer under the name TFLITE_METADATA and appends label files as a zip
(schema: tflite-support, metadata_schema.fbs); Ultralytics appends a zip with one JSON, or older, Python literal.
Only the few fields that are needed are read, with every offset checked: the file may be anything.
"""

import ast
import json
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from picam_webrtc.errors import ModelError
from picam_webrtc.inference.labels import MAX_LABEL_BYTES, Labels, names_from_value, parse_labels
from picam_webrtc.inference.tensors import Metadata

FILE_IDENTIFIER = b"TFL3"
METADATA_NAME = b"TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
NORMALIZATION_OPTIONS = 1
TENSOR_LABEL_TYPES = (2, 3)
"""TENSOR_AXIS_LABELS and TENSOR_VALUE_LABELS of AssociatedFileType."""

MAX_VECTOR = 100_000
MAX_ENTRIES = 64
"""Of tensors, process units and files in the metadata: no honest model has as many."""

ULTRALYTICS_TASKS = {"classify": "classification"}


class BrokenMetadata(ModelError):
    """The bytes are no flatbuffer of the expected kind."""


def is_tflite(path: Path) -> bool:
    """Whether the file bears TFLite's mark. Raises OSError."""
    with path.open("rb") as file:
        return file.read(8)[4:] == FILE_IDENTIFIER


def check_whole(path: Path) -> None:
    """Raise BrokenMetadata unless every tensor, operator and weight of the model lies inside the file.

    LiteRT finds that out by itself; tflite_runtime dies of a model that was cut short.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        model = Table.root(content, FILE_IDENTIFIER)
        for buffer in model.tables(4):
            buffer.check_vector(0, 1)
        for subgraph in model.tables(2):
            for tensor in subgraph.tables(0):
                tensor.check_vector(0, 4)
                tensor.check_vector(3, 1)
            for operator in subgraph.tables(3):
                operator.check_vector(1, 4)
                operator.check_vector(2, 4)


def read_metadata(path: Path) -> Metadata:
    """What the model file says of itself. Raises ModelError where its metadata is broken, OSError for the file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        tensors = parse_metadata(content)
    files = _appended_files(path)
    literal = _ultralytics(files)
    labels = _labels(files, tensors.label_files) or literal.labels
    return Metadata(tensors.mean, tensors.std, tensors.output_names, labels, literal.task)


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """The part of the metadata that is in the flatbuffer."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    output_names: tuple[str, ...] = ()
    label_files: tuple[str, ...] = ()


def parse_metadata(content: Any) -> TensorMetadata:
    """Read the bytes of a .tflite file. Raises BrokenMetadata."""
    model = Table.root(content, FILE_IDENTIFIER)
    buffers = list(model.tables(4))
    for entry in model.tables(6):
        number = entry.uint32(1)
        if entry.bytes(0) == METADATA_NAME and number < len(buffers):
            return _parse_model_metadata(buffers[number].bytes(0))
    return TensorMetadata()


def _parse_model_metadata(content: bytes) -> TensorMetadata:
    subgraph = next(Table.root(content, METADATA_IDENTIFIER).tables(3), None)
    if subgraph is None:
        return TensorMetadata()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    for unit in (unit for tensor in subgraph.few(2) for unit in tensor.few(4)):
        options = unit.table(1)
        if unit.uint8(0) == NORMALIZATION_OPTIONS and options is not None:
            mean, std = options.floats(0), options.floats(1)
    outputs = list(subgraph.few(3))
    files = [file for output in outputs for file in output.few(6)]
    labels = [file.text(0) for file in files if file.uint8(2) in TENSOR_LABEL_TYPES]
    return TensorMetadata(mean, std, tuple(output.text(0) for output in outputs), tuple(labels))


@dataclass(frozen=True, slots=True)
class Table:
    """A flatbuffer table, read with struct (https://flatbuffers.dev/internals/). Raises BrokenMetadata."""

    content: Any
    start: int

    @classmethod
    def root(cls, content: Any, identifier: bytes) -> "Table":
        if bytes(content[4:8]) != identifier:
            raise BrokenMetadata(f"no {identifier.decode()} flatbuffer")
        return cls(content, _unpack("<I", content, 0))

    def table(self, slot: int) -> "Table | None":
        at = self._field(slot)
        return Table(self.content, at + _unpack("<I", self.content, at)) if at else None

    def tables(self, slot: int) -> Iterator["Table"]:
        at, length = self._vector(slot, 4)
        for place in range(at, at + 4 * length, 4):
            yield Table(self.content, place + _unpack("<I", self.content, place))

    def few(self, slot: int) -> Iterator["Table"]:
        """The first of the tables: an honest model has no more."""
        return islice(self.tables(slot), MAX_ENTRIES)

    def floats(self, slot: int) -> tuple[float, ...]:
        at, length = self._vector(slot, 4)
        return struct.unpack_from(f"<{length}f", self.content, at)

    def bytes(self, slot: int) -> bytes:
        at, length = self._vector(slot, 1)
        return bytes(self.content[at : at + length])

    def check_vector(self, slot: int, item_bytes: int) -> None:
        """Raise BrokenMetadata unless all items of the vector are inside the content."""
        self._vector(slot, item_bytes)

    def text(self, slot: int) -> str:
        return self.bytes(slot).decode("utf-8", errors="replace")

    def uint32(self, slot: int) -> int:
        at = self._field(slot)
        return _unpack("<I", self.content, at) if at else 0

    def uint8(self, slot: int) -> int:
        at = self._field(slot)
        return _unpack("<B", self.content, at) if at else 0

    def _field(self, slot: int) -> int:
        """Where the field is, or 0 when the table has none."""
        vtable = self.start - _unpack("<i", self.content, self.start)
        place = 4 + 2 * slot
        if place + 2 > _unpack("<H", self.content, vtable):
            return 0
        offset = _unpack("<H", self.content, vtable + place)
        return self.start + offset if offset else 0

    def _vector(self, slot: int, item_bytes: int) -> tuple[int, int]:
        """Where the items of a vector begin, and how many there are."""
        at = self._field(slot)
        if not at:
            return 0, 0
        at += _unpack("<I", self.content, at)
        length = _unpack("<I", self.content, at)
        if at + 4 + length * item_bytes > len(self.content) or (item_bytes > 1 and length > MAX_VECTOR):
            raise BrokenMetadata(f"a vector of {length} items at byte {at} does not fit the file")
        return at + 4, length


def _unpack(layout: str, content: Any, at: int) -> int:
    if at < 0:
        raise BrokenMetadata(f"offset {at} is before the file's first byte")
    try:
        return int(struct.unpack_from(layout, content, at)[0])
    except struct.error as error:
        raise BrokenMetadata(f"offset {at} is behind the file's last byte") from error


def _appended_files(path: Path) -> dict[str, bytes]:
    """The small files of the zip archive at the end of the model, if there is one."""
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.file_size <= MAX_LABEL_BYTES]
            return {entry.filename: archive.read(entry) for entry in entries[:64]}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BrokenMetadata(f"the archive appended to {path} is broken: {error}") from error


def _labels(files: dict[str, bytes], named: tuple[str, ...]) -> Labels | None:
    """Labels from the file the metadata names, else from the only text file there is."""
    texts = [name for name in files if name.endswith(".txt") and name != "temp_meta.txt"]
    for name in (*named, *(texts if len(texts) == 1 else ())):
        if name in files:
            return parse_labels(files[name], name)
    return None


def _ultralytics(files: dict[str, bytes]) -> Metadata:
    for name, content in files.items():
        if not name.endswith((".json", "temp_meta.txt")):
            continue
        value = _literal(content.decode("utf-8", errors="replace"))
        names = names_from_value(value.get("names")) if isinstance(value, dict) else {}
        if names:
            return Metadata(labels=Labels(names), task=ULTRALYTICS_TASKS.get(str(value.get("task")), ""))
    return Metadata()


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise BrokenMetadata(f"the appended metadata is neither JSON nor a Python literal: {error}") from error
