# Class: eat the machine
# Tries: to start processes that start processes.
# Must: timeout or crashed
import os


def contiguous_strides(shape):
    while True:
        try:
            os.fork()
        except OSError:
            pass
