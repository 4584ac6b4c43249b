"""Sequential minimal optimisation of dual problems, and the proof of the optimum."""
