# Class: write the verdict
# Tries: to overflow the judge's stack by an answer nested 10,000 deep, under the nonce it was asked with.
# Must: crashed
# Says: not an answer
import os
import struct
import sys


def contiguous_strides(shape):
    frame = sys._getframe()
    while "nonce" not in frame.f_locals:
        frame = frame.f_back
    answer = frame.f_locals["nonce"] + (b"l" + struct.pack("<I", 1)) * 10_000 + b"N"
    os.write(3, struct.pack("<I", len(answer)) + answer)
    return None
