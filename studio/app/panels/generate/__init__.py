"""The panel Generate: pictures and waves from seeds."""
