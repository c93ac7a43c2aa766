# Class: objects that lie
# Tries: to keep the judge busy with writing thousands of tensors into its own sentence.
# Must: failed or timeout
import torch


def contiguous_strides(shape):
    return [torch.full((900,), 1 / 3) for _ in range(1_500)]
