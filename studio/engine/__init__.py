"""Run the jobs of the window and of terminal commands. The window runs the engine in a separate process."""

import os

# This must be set before torch is loaded. torch's threads wait for each other after every operation. By default they
# spin for milliseconds before they sleep, and if other programs keep the processors busy, they spin for a thread that
# cannot run. On two busy cores a training step of Glow took 210 ms of processor time with 3000 turns of spinning,
# 140 ms with none, and 91 ms in one thread; 39 to 75 steps a minute became 94 to 108.
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # of GNU's OpenMP
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # of any other
