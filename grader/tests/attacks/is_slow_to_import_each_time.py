# Class: never finish
# Tries: to hold the judge by a slow file again and again, as each call ends the process.
# Must: timeout or crashed
# Others: passed
import os
import time

time.sleep(1.2)


def contiguous_strides(shape):
    os._exit(0)
