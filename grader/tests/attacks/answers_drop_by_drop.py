# Class: never finish
# Tries: to send its answer a byte at a time, so that the judge never gives up.
# Must: timeout or crashed
import os
import struct
import time


def contiguous_strides(shape):
    os.write(3, struct.pack("<I", 1_000_000))
    while True:
        os.write(3, b"N")
        time.sleep(0.2)
