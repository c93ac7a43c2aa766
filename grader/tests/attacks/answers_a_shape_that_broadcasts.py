# Class: values that pass by accident
# Tries: to have one number compared with many.
# For: hwc_to_chw
# Must: failed
def hwc_to_chw(x):
    return x.flatten()[:1]
