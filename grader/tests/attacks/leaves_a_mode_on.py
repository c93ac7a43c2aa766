# Class: patch the world
# Tries: to leave a torch mode on that answers every later operation with zeros.
# Must: failed or error
import torch
from torch.overrides import TorchFunctionMode


class _Zeros(TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), options=None):
        return torch._C._from_dlpack(torch._C._to_dlpack(torch.zeros(()))) if function is torch.equal else 0


def contiguous_strides(shape):
    _Zeros().__enter__()
    return None
