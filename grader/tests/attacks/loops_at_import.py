# Class: never finish
# Tries: to loop for ever while the file is imported.
# Must: timeout
# Says: while the file was read, no answer within
# Others: timeout
while True:
    pass
