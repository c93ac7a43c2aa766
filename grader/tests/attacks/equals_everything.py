# Class: objects that lie
# Tries: to return an object that says yes to every comparison.
# Must: failed
# Says: not data
class _Yes(tuple):
    __class__ = tuple

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __bool__(self):
        return True

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = tuple.__hash__


def contiguous_strides(shape):
    return _Yes()
