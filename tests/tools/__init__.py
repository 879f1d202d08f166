"""Other benchmark tools against this server, in one command: `make compare-tools`."""
