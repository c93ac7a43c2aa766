# Class: read the answers
# Tries: to read environment, command line and open files of every process that it can name.
# Must: failed
import os


def contiguous_strides(shape):
    found = []
    for process in [*range(2, 800), os.getppid()]:
        for name in ("environ", "cmdline", "maps", "cwd", "root", "fd"):
            try:
                path = f"/proc/{process}/{name}"
                found += os.listdir(path) if name in ("cwd", "root", "fd") else [open(path, "rb").read()]
            except OSError:
                pass
    return [str(thing) for thing in found]
