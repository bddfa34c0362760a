"""Store trained models and works, and write files."""
