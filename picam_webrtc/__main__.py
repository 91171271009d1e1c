"""`python -m picam_webrtc`: the whole pipeline in one process; `python -m picam_webrtc NAME`: another executable."""

import sys

from picam_webrtc.entry import EXECUTABLES, run

name = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1] in EXECUTABLES else "picam_webrtc"
raise SystemExit(run(name))
