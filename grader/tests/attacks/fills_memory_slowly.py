# Class: eat the machine
# Tries: to grow step by step, past every limit.
# Must: error or crashed or timeout
def contiguous_strides(shape):
    hoard = []
    while True:
        hoard.append(b"\1" * 64 * 2**20)
