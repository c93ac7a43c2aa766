# Class: attack neighbours
# Tries: to kill its process group, which reaches across PID namespaces to whoever is in it.
# Must: crashed or failed
# Naive: down
import os
import signal


def contiguous_strides(shape):
    os.kill(0, signal.SIGKILL)
