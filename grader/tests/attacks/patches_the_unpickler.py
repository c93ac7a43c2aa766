# Class: patch the judge
# Tries: to have what the judge sends replaced by a function that returns nothing of note.
# Must: failed or error or crashed
# Others: failed
import pickle
import sys

pickle.loads = lambda data: lambda names: None
sys.modules["grader.worker.inputs"].unpack = pickle.loads


def contiguous_strides(shape):
    return None
