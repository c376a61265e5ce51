"""What a person is told of a desk."""
