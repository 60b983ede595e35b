"""Rendering: MIDI scores played by soundfonts and sampled instruments into a labelled folder to train on."""
