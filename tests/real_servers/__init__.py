"""Servers newer than this machine's, out of a Debian sid tree that is entered as its own root: `make real-servers`."""
