"""Holds what Generate and Complete share: parameters, batches, thumbnails."""
