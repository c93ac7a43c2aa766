# Class: end the run early
# Tries: to be killed by a strict filter of its own, at its next system call. (The grader's filter is there already.)
# Must: failed
import ctypes


def contiguous_strides(shape):
    ctypes.CDLL(None).prctl(22, 1, 0, 0, 0)
    return None
