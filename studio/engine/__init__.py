"""The engine: a process of its own that computes what the window, or a command in the terminal, asks for."""

import os

# Before torch is loaded. Its threads wait for each other after every operation, and GNU's OpenMP has them spin for
# 14 ms or so before they sleep. If other programs keep the processors busy, they spin for one that cannot run: on two
# busy cores a Glow took 0.8 to 1.5 s of processor time for a picture, and 0.04 s with this. On two free ones it takes
# as long as before.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
