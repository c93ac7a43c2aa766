# Class: eat the machine
# Tries: to write one file until its disk is full.
# Must: crashed or error
import os


def contiguous_strides(shape):
    with open(os.environ["TMPDIR"] + "/left_by_an_attack", "wb") as file:
        while True:
            file.write(bytes(2**24))
