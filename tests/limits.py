"""Sets how long tests wait. Most waits take milliseconds; the limit is far above that for a busy machine."""

LIMIT = 60.0
"""Seconds after which a test fails because something did not happen."""
