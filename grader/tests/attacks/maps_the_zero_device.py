# Class: eat the machine
# Tries: to have shared pages without a file by way of /dev/zero.
# Must: error
# Says: FileNotFoundError
import mmap
import os


def contiguous_strides(shape):
    handle = os.open("/dev/zero", os.O_RDWR)
    return len(mmap.mmap(handle, 2**28))
