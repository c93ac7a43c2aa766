# Class: eat the machine
# Tries: to fill the kernel's own memory by System V semaphores and message queues.
# Must: failed
import ctypes


def contiguous_strides(shape):
    library = ctypes.CDLL(None, use_errno=True)
    got = 0
    for _ in range(1000):
        got += library.semget(0, 30_000, 0o1600) >= 0
        got += library.msgget(0, 0o1600) >= 0
        got += library.shmget(0, 2**28, 0o1600) >= 0
    return got
