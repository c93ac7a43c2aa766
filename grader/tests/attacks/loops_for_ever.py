# Class: never finish
# Tries: to loop for ever and to swallow whatever would stop it.
# Must: timeout
# Says: no answer within
def contiguous_strides(shape):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
