# Class: never finish
# Tries: to have a child of its own stop it, so that it neither answers nor ends.
# Must: timeout or failed
import os
import signal


def contiguous_strides(shape):
    if os.fork() == 0:
        os.kill(os.getppid(), signal.SIGSTOP)
        os._exit(0)
    os.wait()
    return None
