# Class: end the run early
# Tries: to have the interpreter's own end report success, whatever the status was until then.
# Must: error
# Says: the code called exit
# Naive: passed
import atexit
import os
import sys

atexit.register(os._exit, 0)


def contiguous_strides(shape):
    sys.exit(0)
