"""The command line of landscape: one file a command; each parses, calls the library, prints."""
