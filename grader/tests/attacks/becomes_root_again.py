# Class: attack neighbours
# Tries: to get a user namespace, mounts and capabilities of its own.
# Must: failed
import ctypes
import os


def contiguous_strides(shape):
    library = ctypes.CDLL(None, use_errno=True)
    won = [library.unshare(flag) == 0 for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x08000000)]
    won.append(library.mount(b"proc", b"/proc", b"proc", 0, None) == 0)
    won.append(library.mount(None, b"/", None, 0x20 | 0x1000, None) == 0)
    won.append(library.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), 0) == 0)
    for change in (os.setuid, os.setgid, os.seteuid):
        try:
            change(0)
            won.append(True)
        except OSError:
            pass
    return [won.count(True)]
