# Class: attack neighbours
# Tries: to kill its process group, which reaches across PID namespaces to whoever is in it.
# Hole: a worker in the sandbox must be in a session of its own (grader/worker/zygote.py)
# Must: crashed or failed
# Naive: down
import os
import signal


def contiguous_strides(shape):
    os.kill(0, signal.SIGKILL)
