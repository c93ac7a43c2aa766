# Class: objects that lie
# Tries: to run code in whatever process unpickles the answer.
# Must: failed
# Says: not data
import os


class _Bomb:
    def __reduce__(self):
        return os._exit, (0,)


def contiguous_strides(shape):
    return _Bomb()
