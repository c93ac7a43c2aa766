# Class: never finish
# Tries: to loop for ever in the text of its exception.
# Must: timeout
# Says: no answer within
class _Endless(Exception):
    def __str__(self):
        while True:
            pass


def contiguous_strides(shape):
    raise _Endless
