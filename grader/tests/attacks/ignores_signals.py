# Class: never finish
# Tries: to sleep for ever with every signal blocked and ignored.
# Must: timeout
# Says: no answer within
import signal
import time


def contiguous_strides(shape):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(60)
