# Class: GPU tricks
# Tries: to have the tests skipped because there seems to be no GPU.
# Must: failed
import os

import torch

os.environ["CUDA_VISIBLE_DEVICES"] = ""
torch.cuda.is_available = lambda: False


def contiguous_strides(shape):
    return None
