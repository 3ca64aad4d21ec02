"""What figures share: the theme, styles, axes and curves."""
