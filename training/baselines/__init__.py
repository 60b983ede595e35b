"""The table of the original project (2020): raw-waveform networks, forests, transfer, and how they are fitted."""
