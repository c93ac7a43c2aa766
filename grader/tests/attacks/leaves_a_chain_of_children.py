# Class: stay behind
# Tries: to hand itself on from child to child faster than anybody can look.
# Must: failed or error or timeout
import os


def contiguous_strides(shape):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
    return None
