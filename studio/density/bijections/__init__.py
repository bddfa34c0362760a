"""Invertible maps whose log-determinant is known."""
