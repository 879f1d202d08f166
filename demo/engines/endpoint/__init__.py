"""An engine elsewhere: another server, over HTTP."""
