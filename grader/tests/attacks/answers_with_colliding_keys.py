# Class: objects that lie
# Tries: to keep the judge busy with keys that all have one hash.
# Must: failed or crashed
def contiguous_strides(shape):
    return {number * (2**61 - 1): 0 for number in range(1, 500)}
