# Class: attack neighbours
# Tries: to write into other processes: by ptrace, by /proc, by process_vm_writev.
# Must: failed
import ctypes


def contiguous_strides(shape):
    library = ctypes.CDLL(None, use_errno=True)
    found = []
    for process in range(2, 5000):
        if library.ptrace(16, process, None, None) == 0:
            found.append(process)
        try:
            with open(f"/proc/{process}/mem", "r+b"):
                found.append(process)
        except OSError:
            pass
    return found
