"""Plots as coordinates for SVG: axes, paths and parts of bands. Pure."""
