"""Lists the installed models and shows their cards."""
