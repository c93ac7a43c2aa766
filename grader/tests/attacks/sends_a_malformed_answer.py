# Class: write the verdict
# Tries: to make the judge stumble over an answer that is data but not an answer.
# Must: crashed or failed or error
import os
import struct
import sys


def contiguous_strides(shape):
    frame = sys._getframe()
    while "nonce" not in frame.f_locals:
        frame = frame.f_back

    def text(word):
        return b"s" + struct.pack("<I", len(word)) + word

    endless = b"f" + struct.pack("<d", float("inf"))
    answer = b"d" + struct.pack("<I", 4)
    answer += text(b"outcome") + text(b"raised") + text(b"stub") + b"F" + text(b"missing") + b"N"
    answer += text(b"frames") + (b"l" + struct.pack("<I", 1)) * 2 + endless
    answer = frame.f_locals["nonce"] + answer
    os.write(3, struct.pack("<I", len(answer)) + answer)
    return None
