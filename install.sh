#!/usr/bin/env bash
# Makes .venv in this folder: an environment that sees the system's packages and has what picam_webrtc needs beside
# them, in versions that fit the system's own numpy and OpenCV. One command for a robot with ROS 2 and for a machine
# without it. May be run again at any time.
#
#     ./install.sh
#
# PYTHON=/path/to/python3 chooses another interpreter. docs/install.md tells of every supported system.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

HERE=$PWD
VENV=$HERE/.venv
PATH=${PATH//"$VENV/bin:"/}  # where somebody has activated it, the system's interpreter is meant all the same
CONSTRAINTS=$HERE/resource/constraints
DONE=$VENV/installed  # what was installed for, so that a second run needs no network
UNFINISHED=$VENV/unfinished  # there while the environment is being made
LOG=$VENV/install.log
NEEDED_MB=800  # with ROS 2 from wheels 650, and what pip unpacks meanwhile
ROS_SETUP=  # what the user is to source, where ROS was not

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

quoted() {  # a path, ready for a shell
    printf %q "$1"
}

# In a process group of its own, which Ctrl-C does not reach: Python would tell of it by a traceback.
JOB=
run() {
    set -m
    "$@" </dev/null &
    JOB=$!
    set +m
    local code=0
    wait "$JOB" || code=$?
    JOB=
    return "$code"
}

interrupted() {
    trap '' INT TERM
    if [ -n "$JOB" ]; then
        kill -- "-$JOB" 2>/dev/null || true
        wait "$JOB" 2>/dev/null || true
    fi
    printf '\ninstall.sh: interrupted; ./install.sh goes on from here\n' >&3
    exit 130
}
exec 3>&2  # the terminal, also while what runs writes to the log
trap interrupted INT TERM

is_python() {  # INTERPRETER CODE
    "$1" -c "$2" >/dev/null 2>&1
}

check_machine() {
    case $(uname -m) in
        x86_64 | aarch64) ;;
        *) fail "a 64-bit system is needed (x86-64 or aarch64), this is $(uname -m)" ;;
    esac
    local free_mb
    free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
    if [ ! -e "$DONE" ] && [ "$free_mb" -lt "$NEEDED_MB" ]; then
        fail "$free_mb MB are free in $HERE, $NEEDED_MB MB are needed"
    fi
}

# A ROS 2 that is installed and not sourced: wheels beside it would be a second one.
source_ros() {
    if [ -n "${ROS_DISTRO:-}" ] || python3 -c 'import rclpy' >/dev/null 2>&1; then
        return
    fi
    local found=(/opt/ros/*/setup.bash)
    if [ ! -e "${found[0]}" ]; then
        return
    fi
    if [ ${#found[@]} -gt 1 ]; then
        fail "more than one ROS 2 is installed; source one of them and run ./install.sh again: ${found[*]}"
    fi
    ROS_SETUP=${found[0]}
    set +u  # ROS's own scripts read what is not set
    # shellcheck disable=SC1090
    . "$ROS_SETUP"
    set -u
}

# As root, or through sudo where that asks for no password or there is somebody to type it.
apt_install() {
    local as_root=()
    if ! command -v apt-get >/dev/null; then
        fail "missing, and there is no apt to install it: $*"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            fail "system packages are missing; run: sudo apt-get install -y $*   and then ./install.sh again"
        fi
        as_root=(sudo)
    fi
    echo "Installing with apt: $*"
    "${as_root[@]}" apt-get update -qq || true  # one broken source does not spoil the others
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        fail "apt could not install $* (its reason is above; is there a network?)"
}

# The interpreter that has ROS; else the system's, which has apt's packages; else any.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is not there"
    elif command -v python3 >/dev/null && is_python python3 'import rclpy'; then
        PYTHON=python3
    elif [ -x /usr/bin/python3 ]; then
        PYTHON=/usr/bin/python3
    elif command -v python3 >/dev/null; then
        PYTHON=python3
    else
        apt_install python3 python3-venv
        PYTHON=/usr/bin/python3
    fi
    local version
    version=$("$PYTHON" -c 'import platform; print(platform.python_version())') || fail "$PYTHON does not start"
    is_python "$PYTHON" 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or later is needed, $PYTHON is $version; Debian 12 and Ubuntu 24.04 have it (docs/install.md)"
}

# Whether the environment is there, and made to its end.
has_pip() {
    [ ! -e "$UNFINISHED" ] && "$VENV/bin/python3" -m pip --version >/dev/null 2>&1
}

# What apt has to bring. Debian's colcon only recommends what ROS's depends on.
missing_packages() {
    if ! has_pip && ! is_python "$PYTHON" 'import ensurepip, venv'; then
        echo python3-venv
    fi
    if [ -n "$HAS_ROS" ] && ! command -v colcon >/dev/null; then
        if grep -rqs 'packages\.ros\.org' /etc/apt; then
            echo python3-colcon-common-extensions
        else
            printf '%s\n' colcon python3-colcon-bash python3-colcon-package-selection python3-colcon-ros python3-setuptools
        fi
    fi
    if grep -qs 'Raspberry Pi' /proc/device-tree/model && ! is_python "$PYTHON" 'import picamera2' &&
        apt-cache show python3-picamera2 >/dev/null 2>&1; then
        echo python3-picamera2
    fi
}

# What identifies an interpreter: its version, and the installation it is part of.
identity() {
    "$1" -c 'import sys; print("%d.%d of %s" % (*sys.version_info[:2], sys.base_prefix))' 2>/dev/null || echo "nothing that starts"
}

# One that was left unfinished is ours, and made anew; another's that has no pip is given one.
make_venv() {
    if [ -e "$UNFINISHED" ]; then
        rm -rf "$VENV"
    fi
    if [ ! -e "$VENV" ]; then
        echo "[1/3] Environment: making .venv ..."
        mkdir "$VENV"
        touch "$UNFINISHED" "$VENV/COLCON_IGNORE"
        fill_venv
        rm "$UNFINISHED"
    fi
    check_venv
    if ! has_pip; then
        echo "[1/3] Environment: .venv has no pip, bringing it ..."
        fill_venv
    fi
    touch "$VENV/COLCON_IGNORE"
}

fill_venv() {
    if ! run "$PYTHON" -m venv --system-site-packages "$VENV" >"$LOG" 2>&1; then
        tail -n 5 "$LOG" >&2
        fail "$PYTHON cannot make an environment in $VENV; $LOG has all that it said"
    fi
}

check_venv() {
    local theirs ours
    theirs=$(identity "$VENV/bin/python3")
    ours=$(identity "$PYTHON")
    [ "$theirs" = "$ours" ] ||
        fail ".venv is Python $theirs, and this is Python $ours; remove it (rm -r $(quoted "$VENV")) and run ./install.sh again"
    [ -z "$HAS_ROS" ] || is_python "$VENV/bin/python3" 'import rclpy' ||
        fail "ROS 2 is not seen from .venv: it is in another environment, ${VIRTUAL_ENV:-that of $PYTHON}; leave that and run ./install.sh again"
    grep -qs '^include-system-site-packages = true' "$VENV/pyvenv.cfg" ||
        fail ".venv does not see the system's packages; remove it (rm -r $(quoted "$VENV")) and run ./install.sh again"
}

# Extras of setup.py, beside what every installation has.
extras() {
    local wanted=litert,bags,jpeg
    if ! "$PYTHON" -s -c 'import cv2' >/dev/null 2>&1; then
        wanted+=,opencv
    fi
    if [ -z "$HAS_ROS" ]; then
        wanted+=,ros-wheels
    fi
    echo "$wanted"
}

pip_install() {
    # What is set for other uses of pip and Python would put packages elsewhere, or bring others.
    # Nothing is ever compiled: empy, which ROS's wheels ask for, has no wheel, and is Python alone.
    run env -u PYTHONPATH -u PIP_TARGET -u PIP_PREFIX PIP_USER=no PIP_RETRIES=2 "$VENV/bin/python3" -m pip --disable-pip-version-check \
        install --only-binary :all: --no-binary empy "$@" >"$LOG" 2>&1 && return
    if grep -qiE 'name resolution|connection (refused|broken|timed out)|NewConnectionError|ConnectTimeout|unreachable' "$LOG"; then
        fail "the package index cannot be reached: is there a network? ($LOG has all that pip said)"
    fi
    if grep -q 'No space left on device' "$LOG"; then
        fail "the disk is full: $NEEDED_MB MB are needed in $HERE and ${TMPDIR:-/tmp}"
    fi
    tail -n 5 "$LOG" >&2
    fail "pip failed; $LOG has all that it said"
}

install_packages() {
    local wanted
    wanted=$(extras)
    run "$PYTHON" -s "$CONSTRAINTS/for_this_system.py" >"$VENV/constraints.txt"
    local state
    state=$(cat setup.py "$VENV/constraints.txt" "$CONSTRAINTS/ros-jazzy.txt" <(echo "$wanted $HERE") | sha256sum)
    if [ "$(cat "$DONE" 2>/dev/null)" = "$state" ]; then
        echo "Everything is installed."
        return
    fi
    echo "[2/3] Packages: installing into .venv, the first time about 100 MB and a minute or more (.venv/install.log tells) ..."
    pip_install --constraint "$VENV/constraints.txt" --constraint "$CONSTRAINTS/ros-jazzy.txt" --editable ".[$wanted]"
    echo "$state" >"$DONE"
}

say_what_next() {
    local workspace=$HERE
    if [ "$(basename "$(dirname "$HERE")")" = src ]; then
        workspace=$(dirname "$(dirname "$HERE")")
    fi
    echo
    echo "Done. Now type:"
    if [ -z "$HAS_ROS" ]; then
        echo "    cd $(quoted "$HERE")"
        echo "    resource/executables/picam_webrtc"
        return
    fi
    [ -z "$ROS_SETUP" ] || echo "    source $(quoted "$ROS_SETUP")"
    echo "    cd $(quoted "$workspace")"
    echo "    colcon build --packages-select picam_webrtc"
    echo "    source install/setup.bash"
    echo "    ros2 launch picam_webrtc picam_webrtc.launch.py"
}

check_machine
source_ros
choose_python
HAS_ROS=
if is_python "$PYTHON" 'import rclpy'; then
    HAS_ROS=yes
elif [ -n "${ROS_DISTRO:-}" ]; then
    fail "ROS 2 $ROS_DISTRO is sourced, and $PYTHON cannot import it: $("$PYTHON" -c 'import rclpy' 2>&1 | tail -n 1)"
elif [ "$(uname -m)" != x86_64 ]; then
    fail "ROS 2 is not here, and its wheels are for x86-64 only; docs/install.md says where to get it for this machine"
fi
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
make_venv
install_packages
echo "[3/3] Model: fetching what is not here yet ..."
run "$VENV/bin/python3" -m picam_webrtc.models fetch || echo "Without a model the pipeline streams, and detects nothing."
if [ -z "${MAKELEVEL:-}" ]; then  # `make run` types it itself
    say_what_next
fi
