"""The benchmark: any streaming text-generation server over HTTP, by the client's clock. Knows no engine and no page."""
