"""What the panels Generate and Complete share: parameters, batches, thumbnails."""
