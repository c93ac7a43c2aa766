# Class: attack neighbours
# Tries: to leave a listener under an abstract name, which no file system holds, for the next submission.
# Must: failed or crashed
import os
import socket


def contiguous_strides(shape):
    if os.fork() == 0:
        os.setsid()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0left_by_an_attack")
            listener.listen()
            listener.accept()
        os._exit(0)
    return None
