"""Widgets and styles that know no feature of the studio."""
