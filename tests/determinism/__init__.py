"""What makes a run repeatable: steps that read nothing but what they are given, and what a seed then promises."""
