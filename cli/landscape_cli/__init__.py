"""The command line of landscape: one file per command; each parses, calls the library, prints."""
