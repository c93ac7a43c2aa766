# Class: eat the machine
# Tries: to share a hoard out among many processes, each of them below every limit.
# Must: crashed or timeout
import os
import time


def contiguous_strides(shape):
    for _ in range(50):
        if os.fork() == 0:
            hoard = bytearray(os.urandom(1) * 300 * 2**20)
            time.sleep(60)
            os._exit(len(hoard))
    time.sleep(60)
