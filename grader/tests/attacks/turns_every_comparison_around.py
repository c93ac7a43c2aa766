# Class: patch the world
# Tries: to leave the flags of arithmetic, the locale, the clock and the recursion limit changed.
# Must: failed
import decimal
import locale
import os
import sys
import time
import warnings

import numpy
import torch


def contiguous_strides(shape):
    numpy.seterr(all="raise")
    warnings.simplefilter("error")
    torch.use_deterministic_algorithms(True)
    torch.set_default_device("meta")
    torch.set_flush_denormal(True)
    decimal.getcontext().prec = 1
    os.environ.clear()
    os.environ["TZ"] = "Antarctica/Troll"
    time.tzset()
    sys.setrecursionlimit(60)
    return None
