# Class: read the answers
# Tries: to find, in the code of the function that asks, what the answer should be.
# Must: failed or error
import sys


def contiguous_strides(shape):
    frame, seen = sys._getframe(1), []
    while frame:
        seen += [value for value in frame.f_code.co_consts if isinstance(value, tuple) and len(value) == len(shape)]
        seen += [value for value in frame.f_locals.values() if isinstance(value, tuple) and len(value) == len(shape)]
        frame = frame.f_back
    seen = [value for value in seen if value != tuple(shape)]
    return seen[0] if seen else None
