"""`python -m picam_webrtc`: the whole pipeline in one process."""

from picam_webrtc.ros.composed import main

raise SystemExit(main())
