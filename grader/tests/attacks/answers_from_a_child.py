# Class: write the verdict
# Tries: to have a child race with the grader's own code for the questions that come next.
# Must: failed or crashed or timeout
import os


def contiguous_strides(shape):
    if os.fork() == 0:
        while True:
            try:
                os.read(3, 2**20)
            except OSError:
                os._exit(0)
    return None
