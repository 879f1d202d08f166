"""The soak: visitors of every kind come and go for an hour, against a real process of the app."""
