"""Order flows that bring a paper market to life: made up from a seed, or replayed from a recording."""
