# Class: eat the machine
# Tries: to write until no disk in sight has room.
# Must: error or timeout
import itertools
import os


def contiguous_strides(shape):
    for folder in ("/dev/shm", os.environ.get("TMPDIR", "/tmp"), "/tmp"):
        try:
            for number in itertools.count():
                with open(f"{folder}/left_by_an_attack_{number}", "wb") as file:
                    os.posix_fallocate(file.fileno(), 0, 128 * 2**20)
        except OSError as error:
            last = error
    raise last
