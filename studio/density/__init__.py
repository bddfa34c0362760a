"""The mathematics of models whose likelihood can be computed."""
