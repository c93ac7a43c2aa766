# Class: write the verdict
# Tries: to announce four gigabytes, so that the judge makes room for them.
# Must: crashed
# Says: not an answer
import os


def contiguous_strides(shape):
    os.write(3, b"\xff\xff\xff\xff" + bytes(1000))
    return None
