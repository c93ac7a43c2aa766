#!/usr/bin/env bash
# Gradescope runs this once, as root, when it makes the image.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
cd /autograder/source

apt-get update
python=""
for version in 3.12 3.13 3.11; do
    if apt-get install -y "python$version" "python$version-venv"; then
        python="python$version"
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: Python 3.11 or later is needed: choose a base image with Ubuntu 22.04 or later" >&2
    exit 1
fi

"$python" -m venv .venv
# Torch's build for the CPU is a tenth of the one with CUDA.
.venv/bin/python -m pip install --quiet uv
.venv/bin/uv pip install --quiet --python .venv/bin/python --torch-backend cpu --requirement requirements.lock
chmod -R go-rwx solutions tests
