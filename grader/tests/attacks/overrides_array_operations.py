# Class: objects that lie
# Tries: to return an array of a class with operators of its own.
# Must: failed
# Says: not data
import numpy


class _Array(numpy.ndarray):
    def __array_ufunc__(self, function, method, *inputs, **options):
        return True

    def __array_function__(self, function, types, arguments, options):
        return True


def contiguous_strides(shape):
    return numpy.zeros(3).view(_Array)
