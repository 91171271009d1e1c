"""`python3 -m picam_webrtc.doctor` tells what is here, what is wrong, and what to do about it.

It starts with the standard library alone. What is foreign is tried in child processes (`probes`), each under a time
limit, since an import may crash, hang or print; `children` runs them. Every other file is a family of checks.
"""
