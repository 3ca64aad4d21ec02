"""Run a model and move it: forward passes, chunks, points, batch norm, outputs, losses."""
