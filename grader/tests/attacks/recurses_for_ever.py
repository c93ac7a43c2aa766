# Class: eat the machine
# Tries: to recurse until the stack is full.
# Must: error or crashed
import sys

sys.setrecursionlimit(10**9)


def contiguous_strides(shape):
    return [].__class__(map(contiguous_strides, [shape]))
