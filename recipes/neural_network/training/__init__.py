"""Training: checked inputs, learning rate, callbacks, and the certificate."""
