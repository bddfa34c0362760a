"""Keeps results as takes: their files, their tree and the take strip."""
