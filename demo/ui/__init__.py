"""The web page: one run shown in two panes. Knows the core, and of engines only their protocol.

Rooms: view/ <- components/ <- listeners/ <- page.py.
"""
