"""What single values mean, in pure Python."""
