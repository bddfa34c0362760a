"""Maps over a picture: what each pixel costs, and how uncertain the model was."""
