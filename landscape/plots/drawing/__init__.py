"""What figures share: the theme, styles, axes, curves."""
