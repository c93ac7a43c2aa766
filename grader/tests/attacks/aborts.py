# Class: end the run early
# Tries: to take the grader down by abort().
# Must: crashed
# Says: Python was ended by
# Naive: down
import os


def contiguous_strides(shape):
    os.abort()
