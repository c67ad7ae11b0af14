"""The parent, its workers, and what they share: sockets, messages, counters."""
