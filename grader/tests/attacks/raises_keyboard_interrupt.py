# Class: end the run early
# Tries: to look like someone who pressed Ctrl-C, so that the run stops without a verdict.
# Must: error
# Says: it raised KeyboardInterrupt
# Naive: down
def contiguous_strides(shape):
    raise KeyboardInterrupt
