"""Holds the panel Generate, which makes pictures and waves from seeds."""
