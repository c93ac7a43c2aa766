# Class: write the verdict
# Tries: to keep the judge waiting for the rest of an answer, and then to hang up.
# Must: crashed
# Says: the code ended Python itself
import os
import struct


def contiguous_strides(shape):
    os.write(3, struct.pack("<I", 1000) + b"d")
    os.close(3)
    return None
