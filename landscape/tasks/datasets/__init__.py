"""The data sets of the built-in tasks, and arrays of a user's own."""
