"""What a training of a network consists of."""
