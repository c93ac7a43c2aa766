# Class: never finish
# Tries: to close the way back, and to go on for ever.
# Must: crashed or timeout
import os
import time


def contiguous_strides(shape):
    os.closerange(0, 1000)
    while True:
        time.sleep(1)
