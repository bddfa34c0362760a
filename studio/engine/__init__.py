"""Run the jobs of the window and of terminal commands. The window runs the engine in a separate process."""

import os

# This must be set before torch is loaded. torch's threads wait for each other after every operation, and GNU's OpenMP
# lets them spin for about 14 ms before they sleep. If other programs keep the processors busy, they spin for a thread
# that cannot run: on two busy cores a Glow took 0.8 to 1.5 s of processor time for a picture, and 0.04 s with this
# setting. On two free cores it makes no difference.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
