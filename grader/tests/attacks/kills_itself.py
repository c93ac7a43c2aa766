# Class: end the run early
# Tries: to take the grader down by SIGKILL. (The first process of a PID namespace cannot kill itself so.)
# Must: crashed or failed
# Naive: down
import os
import signal


def contiguous_strides(shape):
    os.kill(os.getpid(), signal.SIGKILL)
