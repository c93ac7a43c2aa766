# Class: values that pass by accident
# Tries: to return a tensor that has a shape and no values to compare.
# For: hwc_to_chw
# Must: failed or error
def hwc_to_chw(x):
    return x.movedim(-1, -3).to("meta")
