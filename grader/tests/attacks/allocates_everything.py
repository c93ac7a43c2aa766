# Class: eat the machine
# Tries: to take 50 GB of memory.
# Must: error
# Says: more memory than it may have
import torch


def contiguous_strides(shape):
    return tuple(torch.ones(50 * 2**30, dtype=torch.uint8)[:2].tolist())
