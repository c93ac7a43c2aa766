# Class: phone out
# Tries: to find an open port on this machine, or to offer one.
# Must: failed
import socket


def contiguous_strides(shape):
    found = []
    for port in (22, 53, 80, 443, 5432, 6379, 8786, 8787, 8888):
        for host in ("127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "172.17.0.1"):
            try:
                socket.create_connection((host, port), timeout=0.05).close()
                found.append((host, port))
            except OSError:
                pass
    return [str(place) for place in found]
