"""The colours of a test signal's bars by the numbers of the standards.

Those of 100 % colour bars by ITU-R BT.601 and BT.709 in 8 bits, limited range, and by JPEG's ITU-T T.871, worked out by
hand and not by anything here.
"""

from picam_webrtc.frame import ColorSpace

Triple = tuple[int, int, int]

RGB: dict[str, Triple] = {
    "white": (255, 255, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "green": (0, 255, 0),
    "magenta": (255, 0, 255),
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
}
BARS: dict[ColorSpace, dict[str, Triple]] = {
    ColorSpace.SMPTE170M: {
        "white": (235, 128, 128),
        "yellow": (210, 16, 146),
        "cyan": (170, 166, 16),
        "green": (145, 54, 34),
        "magenta": (106, 202, 222),
        "red": (81, 90, 240),
        "blue": (41, 240, 110),
        "black": (16, 128, 128),
    },
    ColorSpace.REC709: {
        "white": (235, 128, 128),
        "yellow": (219, 16, 138),
        "cyan": (188, 154, 16),
        "green": (173, 42, 26),
        "magenta": (78, 214, 230),
        "red": (63, 102, 240),
        "blue": (32, 240, 118),
        "black": (16, 128, 128),
    },
    ColorSpace.SYCC: {
        "white": (255, 128, 128),
        "yellow": (226, 1, 149),
        "cyan": (179, 171, 1),
        "green": (150, 44, 21),
        "magenta": (105, 212, 235),
        "red": (76, 85, 255),
        "blue": (29, 255, 107),
        "black": (0, 128, 128),
    },
}
