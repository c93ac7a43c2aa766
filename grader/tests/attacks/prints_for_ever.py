# Class: eat the machine
# Tries: to fill the memory or the disk of whoever keeps what it prints.
# Must: timeout
# Says: no answer within
def contiguous_strides(shape):
    while True:
        print("passed " * 100_000)
