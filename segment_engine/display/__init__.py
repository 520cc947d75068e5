"""What shows itself in colours: text in kinds, as HTML for notebooks and with rich on terminals."""
