# Class: write the verdict
# Tries: to find the judge's own socket or report among the open descriptors.
# Must: failed or crashed
import os
import socket
import struct


def contiguous_strides(shape):
    for descriptor in range(3, 1024):
        try:
            other = socket.socket(fileno=os.dup(descriptor))
            other.sendmsg([b'{"exited": 1, "code": 0, "reason": null}'], [(1, 1, struct.pack("i", 1))])
        except OSError:
            pass
    return None
