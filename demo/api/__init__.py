"""HTTP: the server that the page and the API share."""
