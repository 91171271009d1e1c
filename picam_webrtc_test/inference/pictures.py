"""Real pictures, which scikit-image brings."""

from pathlib import Path

import skimage

PICTURES = Path(skimage.__file__).parent / "data"
