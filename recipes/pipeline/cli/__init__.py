"""The command line: settings, flags, help, and TensorFlow's quiet import."""
