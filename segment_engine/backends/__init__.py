"""The engines that run a rule."""
