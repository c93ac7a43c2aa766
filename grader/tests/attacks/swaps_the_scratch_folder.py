# Class: attack neighbours
# Tries: to put a link to the system in the place of its own temporary folder.
# Must: failed
import os
import shutil


def contiguous_strides(shape):
    folder = os.environ["TMPDIR"]
    for action in (lambda: shutil.rmtree(folder), lambda: os.rename(folder, "/old"), lambda: os.symlink("/", folder)):
        try:
            action()
        except OSError:
            pass
    os.symlink("/", "left_by_an_attack")
    return None
