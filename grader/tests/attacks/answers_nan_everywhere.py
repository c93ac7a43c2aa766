# Class: values that pass by accident
# Tries: to have comparisons fail to find a difference, as none is larger than NaN.
# For: masked_mean
# Must: failed
import torch


def masked_mean(values, mask, *arguments, **options):
    return torch.full((), float("nan"))
