"""What window, terminal and engine say to each other."""
