# Class: objects that lie
# Tries: to return a list that grows while it is read.
# Must: failed or timeout
_answer = []


class _Growing:
    def __init_subclass__(cls):
        pass


def contiguous_strides(shape):
    import threading

    def grow():
        while True:
            _answer.append(0)

    threading.Thread(target=grow, daemon=True).start()
    return _answer
