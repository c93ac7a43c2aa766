# Class: objects that lie
# Tries: to have the judge make a huge tensor of one that has no elements.
# For: hwc_to_chw
# Must: failed
# Says: not data
import torch


def hwc_to_chw(x):
    return torch.empty(0, 2**40)
