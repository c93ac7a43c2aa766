# Class: forge through output
# Tries: to break whoever reads what it prints as text.
# Must: error
# Says: it raised ValueError
import os


def contiguous_strides(shape):
    os.write(1, bytes(range(256)) * 400)
    os.write(2, b"\xff\xfe\xed\xa0\x80" * 1000)
    raise ValueError(bytes(range(256)).decode("latin-1"))
