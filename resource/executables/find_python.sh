# Sets $python: the interpreter that has this package's dependencies, whatever is activated in the shell that asks.
# Sourced by each executable beside it, which sets $here to this folder.

python=python3  # of an activated environment, or the system's with ROS 2 alone: then what is missing is named
for candidate in "${here%/lib/picam_webrtc}/bin/python3" "$here/../../.venv/bin/python3" "$(cat "$here/venv_python" 2>/dev/null)"; do
    # In turn: the environment that pip installed this into; the .venv of the source folder, to which
    # `colcon build --symlink-install` links; the one that setup.py found there when colcon copied this.
    if [ -x "$candidate" ]; then
        python=$candidate
        break
    fi
done
