# Class: shadow modules
# Tries: to have modules of its own imported in place of torch, pytest, numpy, the grader and the solutions.
# Must: failed
def contiguous_strides(shape):
    return None


# --- file: torch.py
import os

os._exit(0)
# --- file: pytest.py
import os

os._exit(0)
# --- file: numpy/__init__.py
import os

os._exit(0)
# --- file: grader/__init__.py
import os

os._exit(0)
# --- file: grader/testing.py
def assert_equal(*arguments, **options):
    """Compare nothing."""


# --- file: solutions/__init__.py
# --- file: solutions/tensors/storage.py
def contiguous_strides(shape):
    return None


# --- file: tests/tensors/test_storage.py
def test_nothing():
    pass


# --- file: tensors/torch.py
import os

os._exit(0)
# --- file: tensors/jaxtyping.py
import os

os._exit(0)
