# Class: turn failure into skip
# Tries: to have the test skipped by the exception of unittest.
# Must: error
# Says: it raised SkipTest
# Naive: passed
import unittest


def contiguous_strides(shape):
    raise unittest.SkipTest("not today")
