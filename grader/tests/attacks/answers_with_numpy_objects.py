# Class: objects that lie
# Tries: to return an array of objects, which only unpickling could rebuild.
# Must: failed
# Says: not data
import os

import numpy


class _Bomb:
    def __reduce__(self):
        return os._exit, (0,)


def contiguous_strides(shape):
    return numpy.array([_Bomb()], dtype=object)
