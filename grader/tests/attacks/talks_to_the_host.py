# Class: phone out
# Tries: to reach the machine below a virtual one, by a kind of socket that lies in no network namespace.
# Must: error
# Says: OSError
import socket


def contiguous_strides(shape):
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as host:
        host.settimeout(0.2)
        host.connect((2, 1024))
        return host.recv(100)
