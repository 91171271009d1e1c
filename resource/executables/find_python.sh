# Sets $python: the interpreter that has this package's dependencies, whatever is activated in the shell that asks.
# Sourced by each executable beside it, which sets $here to this folder.
#
# In turn: the one that the user names; that of the environment into which pip installed this; the .venv of the source
# folder, to which `colcon build --symlink-install` links; the one that setup.py found there when colcon copied this.
python=python3  # else an activated environment's, or the system's, where Python itself says what is missing
for candidate in "$PICAM_WEBRTC_PYTHON" "${here%/lib/picam_webrtc}/bin/python3" "$here/../../.venv/bin/python3" \
    "$(cat "$here/venv_python" 2>/dev/null)"; do
    if [ -x "$candidate" ]; then
        python=$candidate
        break
    fi
done
