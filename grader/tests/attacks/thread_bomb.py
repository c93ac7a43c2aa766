# Class: eat the machine
# Tries: to start threads without end.
# Must: error or timeout or crashed
import threading


def contiguous_strides(shape):
    forever = threading.Event()
    while True:
        threading.Thread(target=forever.wait, daemon=True).start()
