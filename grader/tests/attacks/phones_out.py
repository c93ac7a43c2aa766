# Class: phone out
# Tries: to reach a machine by name, by address, by datagram.
# Must: failed
import socket


def _reaches(action):
    try:
        action()
    except OSError:
        return False
    return True


def contiguous_strides(shape):
    attempts = (
        lambda: socket.getaddrinfo("example.invalid", 80),
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=0.2),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"answers?", ("192.0.2.1", 53)),
    )
    return [_reaches(action) for action in attempts]
