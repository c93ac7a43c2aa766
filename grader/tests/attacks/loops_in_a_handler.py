# Class: never finish
# Tries: to loop for ever in what runs when the answer is taken apart.
# Must: failed or timeout or error
class _Endless(dict):
    def items(self):
        while True:
            pass

    __iter__ = keys = values = __len__ = items


def contiguous_strides(shape):
    return _Endless()
