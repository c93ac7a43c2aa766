# Class: write the verdict
# Tries: to have the report name a line that no reader of it can hold.
# Must: error or crashed
import os
import struct
import sys


def contiguous_strides(shape):
    encode = sys.modules["grader.worker.codec"].encode
    frame = sys._getframe()
    while "nonce" not in frame.f_locals:
        frame = frame.f_back
    error = {"type": "ValueError\n::notice::passed", "bases": ["ValueError"], "message": "\ud800" * 2000}
    reply = {"outcome": "raised", "error": error, "frames": [(10**4000, "f")], "stub": False, "missing": None}
    reply = frame.f_locals["nonce"] + encode(reply)
    os.write(3, struct.pack("<I", len(reply)) + reply)
    os._exit(0)
