"""A frame number and a capture time written into a picture, to be read back at the far end.

Two rows of 36 black or white cells along the top edge: row r, cell c covers x in [c W/36, (c+1) W/36)
and y in [r H/24, (r+1) H/24) of a W x H picture. White is 1; most significant bit first, row 0 then
row 1: 24 bits frame number, 40 bits capture time [us, modulo 2**40], 8 bits CRC over the eight bytes
before it. Cells that large survive H.264 at 2 Mbit/s and scaling to a quarter.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from picam_webrtc.frame import Pixels

COLUMNS, ROWS = 36, 2
ROWS_OF_PICTURE = 24
FRAME_NUMBERS = 1 << 24
CAPTURE_TIMES = 1 << 40
WHITE, BLACK, MID_GREY = 255, 0, 128


def _crc_table() -> tuple[int, ...]:
    table = list(range(256))
    for _ in range(8):
        table = [(crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1 for crc in table]
    return tuple(table)


CRC_TABLE = _crc_table()


def crc8(data: bytes) -> int:
    """CRC-8, polynomial 0x07, initial value 0xFF, nothing reflected or inverted."""
    crc = 0xFF
    for byte in data:
        crc = CRC_TABLE[crc ^ byte]
    return crc


@dataclass(frozen=True, slots=True)
class PatternCode:
    """What `read_code` found."""

    frame_number: int
    capture_us: int

    @classmethod
    def of(cls, frame_number: int, stamp_ns: int) -> "PatternCode":
        return cls(frame_number % FRAME_NUMBERS, stamp_ns // 1000 % CAPTURE_TIMES)

    def to_bytes(self) -> bytes:
        payload = (self.frame_number << 40 | self.capture_us).to_bytes(8, "big")
        return payload + bytes([crc8(payload)])


class CodeWriter:
    """Writes codes into pictures of one size."""

    def __init__(self, width: int, height: int) -> None:
        self._column_of_x = np.arange(width) * COLUMNS // width
        edges = [-(-row * height // ROWS_OF_PICTURE) for row in range(ROWS + 1)]
        self._row_slices = [slice(*pair) for pair in pairwise(edges)]

    def write(self, pixels: Pixels, code: PatternCode) -> None:
        """Draw `code` along the top edge of `pixels`, (height, width, channels) uint8."""
        bits = np.unpackbits(np.frombuffer(code.to_bytes(), np.uint8)).reshape(ROWS, COLUMNS)
        lines = np.repeat((bits * np.uint8(WHITE))[:, self._column_of_x], pixels.shape[2], axis=1)
        for rows, line in zip(self._row_slices, lines, strict=True):
            pixels[rows] = line.reshape(pixels.shape[1:])


def read_code(pixels_bgr: Pixels) -> PatternCode | None:
    """The code in a picture of any size, (height, width, 3) uint8; None when there is none or it is damaged."""
    height, width = pixels_bgr.shape[:2]
    if width < COLUMNS or height < ROWS_OF_PICTURE:
        return None
    y = _cell_centers(ROWS, ROWS_OF_PICTURE, height)
    x = _cell_centers(COLUMNS, COLUMNS, width)
    cells = pixels_bgr[y[:, :, np.newaxis, np.newaxis], x[np.newaxis, np.newaxis, :, :]]
    levels = cells.mean(axis=(1, 3, 4))
    data = np.packbits(levels >= MID_GREY).tobytes()
    if crc8(data[:8]) != data[8]:
        return None
    word = int.from_bytes(data[:8], "big")
    return PatternCode(word >> 40, word % CAPTURE_TIMES)


def _cell_centers(count: int, divisions: int, length: int) -> NDArray[np.intp]:
    """Indices of the middle half of each of `count` cells, (count, n): its edges are blurred by scaling."""
    edges = -(-np.arange(count + 1) * length // divisions)  # each cell begins at the next whole pixel
    centers = (edges[:-1] + edges[1:] - 1) // 2
    reach = length // divisions // 4
    return np.asarray(centers[:, np.newaxis] + np.arange(-reach, reach + 1), np.intp)
