# Class: eat the machine
# Tries: to have the kernel hold gigabytes in the buffers of sockets nobody reads.
# Must: error
# Says: Too many open files
import socket


def contiguous_strides(shape):
    kept = []
    while True:
        pair = socket.socketpair()
        pair[0].setblocking(False)
        kept.append(pair)
        try:
            while True:
                pair[0].send(bytes(65536))
        except BlockingIOError:
            pass
