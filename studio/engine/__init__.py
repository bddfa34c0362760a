"""The inference engine: a process of its own."""
