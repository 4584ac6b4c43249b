"""Readers, which return a file, an embedded set or a catalogue entry as a `Source`."""
