# Class: patch the judge
# Tries: to have the helpers of probes say that everything is as it should be.
# Must: failed or error or not_attempted
# Others: any
import sys

_probes = sys.modules["grader.worker.probes"]
for _name in ("shares_storage", "layout_of", "error_of", "is_stub_error", "describe_error"):
    setattr(_probes, _name, lambda *arguments, **options: True)


def contiguous_strides(shape):
    raise NotImplementedError
