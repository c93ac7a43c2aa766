# Class: eat the machine
# Tries: to fill the memory by shared pages that belong to no process once they are unmapped.
# Must: error
# Says: PermissionError
import mmap


def contiguous_strides(shape):
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 2**28))
        for place in range(0, 2**28, 4096):
            kept[-1][place] = 1
        kept[-1].madvise(mmap.MADV_DONTNEED)
