# Class: turn failure into skip
# Tries: to look like a stub, so that nothing is counted.
# Must: not_attempted
def contiguous_strides(shape):
    raise NotImplementedError("contiguous_strides")
