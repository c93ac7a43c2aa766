# Class: objects that lie
# Tries: to have the judge fail while it writes a number of ten thousand digits into its own sentence.
# For: element_offset
# Must: failed
def element_offset(t, index):
    return 2**32000
