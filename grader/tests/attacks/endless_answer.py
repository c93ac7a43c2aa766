# Class: objects that lie
# Tries: to keep the judge busy for ever with an answer that contains itself.
# Must: failed
# Says: nested more than
def contiguous_strides(shape):
    answer = []
    answer.append(answer)
    return answer
