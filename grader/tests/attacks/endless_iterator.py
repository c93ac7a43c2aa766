# Class: objects that lie
# Tries: to keep the judge busy for ever with an answer that has no end.
# Must: failed
# Says: not data
import itertools


def contiguous_strides(shape):
    return itertools.count()
