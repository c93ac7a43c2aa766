# Class: never finish
# Tries: to stay for ever within one call into C, where Python never looks at signals.
# Must: timeout
# Says: no answer within
import re


def contiguous_strides(shape):
    return re.match(r"(a|a)*b", "a" * 60)
