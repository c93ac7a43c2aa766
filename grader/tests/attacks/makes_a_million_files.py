# Class: eat the machine
# Tries: to leave the disk without a free inode.
# Must: error
# Says: No space left
import os


def contiguous_strides(shape):
    for number in range(1_000_000):
        os.close(os.open(f"{os.environ['TMPDIR']}/{number}", os.O_CREAT))
