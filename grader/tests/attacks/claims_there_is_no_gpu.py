# Class: turn failure into skip
# Tries: to have tests left out of the maximum, as those that need a GPU are.
# Must: error
# Says: it raised RuntimeError
def contiguous_strides(shape):
    raise RuntimeError("it needs a CUDA GPU, and this machine has none")
