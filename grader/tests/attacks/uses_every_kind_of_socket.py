# Class: phone out
# Tries: to find any kind of socket that leads out of the network namespace.
# Must: failed
import socket


def contiguous_strides(shape):
    found = []
    for family in range(46):
        for kind in (1, 2, 3, 5, 10):
            try:
                socket.socket(family, kind).close()
            except OSError:
                continue
            if family not in (1, 2, 10, 16):
                found.append((family, kind))
    return (not found,)
