"""The kinds of servers that an engine elsewhere may be: what each is asked, and how its events are read."""
