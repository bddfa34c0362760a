"""Pictures and sounds: files to arrays and back."""
