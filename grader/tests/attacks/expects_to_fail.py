# Class: turn failure into skip
# Tries: to have pytest note the test as an expected failure.
# Must: error
# Says: it raised XFailed
# Naive: passed
import pytest


def contiguous_strides(shape):
    pytest.xfail("known problem")
