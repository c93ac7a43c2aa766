# Class: end the run early
# Tries: to be killed by a limit of its own making, as if somebody else had done it.
# Must: crashed or timeout
import resource


def contiguous_strides(shape):
    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    while True:
        pass
