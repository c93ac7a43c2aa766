# Class: GPU tricks
# Tries: to use up the GPU's memory, and to leave an error on it for the next exercise.
# Must: failed or error
import torch

_kept = []


def contiguous_strides(shape):
    if torch.cuda.is_available():
        while True:
            _kept.append(torch.empty(2**30, device="cuda"))
    return None
