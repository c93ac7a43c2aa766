# Class: attack neighbours
# Tries: to use up the number of processes that its user may have, for every other submission too.
# Must: failed
import os
import time


def contiguous_strides(shape):
    for _ in range(1000):
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        except OSError:
            break
    return None
