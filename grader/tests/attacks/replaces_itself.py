# Class: end the run early
# Tries: to become another program that reports success.
# Must: crashed
import os


def contiguous_strides(shape):
    os.execv("/bin/true", ["true"])
