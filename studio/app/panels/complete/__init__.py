"""The panel Complete: a part of a picture drawn again."""
