# Class: eat the machine
# Tries: to open files until the machine has no descriptors left.
# Must: error
# Says: Too many open files
import os


def contiguous_strides(shape):
    while True:
        os.dup(1)
