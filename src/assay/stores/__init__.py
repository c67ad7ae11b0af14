"""Where blobs and events are kept: a folder with SQLite, or memory."""
